package filestore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// disk is the part of the file system that a journal uses.
type disk interface {
	// create opens a new empty file. If there is a file with that name, create replaces
	// it.
	create(name string) (file, error)
	// extend opens an existing file, so that the journal can append to it.
	extend(name string) (file, error)
	rename(from, to string) error
	remove(name string) error
	// syncDir makes sure that created and renamed files in a directory survive a power
	// failure.
	syncDir(name string) error
}

type file interface {
	io.WriteCloser
	Sync() error
}

// osDisk is the real file system. Only the owner of the files can read them, because
// anybody who knows a job's delay id can send or cancel the leave.
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
		return nil // some file systems do not support a sync of directories, and do not need it
	}
	return err
}
