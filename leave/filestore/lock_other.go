//go:build !unix

package filestore

import "os"

// lockedFile opens a file without a lock: on this system a lock would also keep
// this process from it.
func lockedFile(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDWR, 0) }
