//go:build !unix

package filestore

import "os"

// lockedFile opens a file, but does not lock it. On this system, a lock would also keep
// this process from using the file.
func lockedFile(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDWR, 0) }
