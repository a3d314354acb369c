//go:build !unix

package filestore

import "os"

// lockedFile opens a file without locking it: on this system a lock would also
// prevent this process from using the file.
func lockedFile(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDWR, 0) }
