//go:build !unix

package service

import "math"

// openFiles returns a very large number, because the limit of open files is
// unknown on this system.
func openFiles() int { return math.MaxInt32 }
