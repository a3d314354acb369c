//go:build !unix

package filestore

import "os"

// lockedFile opens a file. Here locks would keep this process out, too.
func lockedFile(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDWR, 0) }
