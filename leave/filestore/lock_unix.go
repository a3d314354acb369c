//go:build unix

package filestore

import (
	"errors"
	"os"
	"syscall"
)

// lockedFile opens a file and locks it; errTaken if another process has. A file
// system without locks has the lock of path.lock alone.
func lockedFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		f.Close()
		return nil, errTaken
	case !isAt(f, name): // it was replaced meanwhile
		f.Close()
		return nil, errTaken
	}
	return f, nil
}
