//go:build unix

package filestore

import (
	"errors"
	"os"
	"syscall"
)

// lockedFile opens a file and locks it. It returns errTaken if another process holds
// the lock. If the file system has no locks, it returns the open file without a lock.
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
	case !isAt(f, name): // somebody has replaced the file before it was locked
		f.Close()
		return nil, errTaken
	}
	return f, nil
}
