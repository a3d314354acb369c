package filestore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// disk is the operations of the file system that a journal needs.
type disk interface {
	// create opens a new empty file. It replaces an existing file of that name.
	create(name string) (file, error)
	// extend opens a file for appending.
	extend(name string) (file, error)
	rename(from, to string) error
	remove(name string) error
	// syncDir makes created and renamed files in a directory durable.
	syncDir(name string) error
}

type file interface {
	io.WriteCloser
	Sync() error
}

// osDisk is the real file system. Only their owner can read the files, because
// whoever knows a job's delay id can send or cancel the leave.
type osDisk struct{}

func (osDisk) create(name string) (file, error) {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
}

func (osDisk) extend(name string) (file, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(name string) error { return os.Remove(name) }

func (osDisk) syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = dir.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // some file systems neither need nor support a sync of directories
	}
	return err
}
