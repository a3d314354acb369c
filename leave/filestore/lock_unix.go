//go:build unix

package filestore

import (
	"errors"
	"os"
	"syscall"
)

// lockedFile opens a file and locks it. It returns errTaken if another process
// holds the lock. On a file system without locks, only the lock of path.lock
// counts.
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
	case !isAt(f, name): // the file was replaced meanwhile
		f.Close()
		return nil, errTaken
	}
	return f, nil
}
