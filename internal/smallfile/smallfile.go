// Package smallfile reads files that an operator names, of which none is large.
package smallfile

import (
	"errors"
	"io/fs"
	"os"
)

// Limit bounds what is read into memory, in bytes.
const Limit = 1 << 20

// Read reads a regular file of at most [Limit] bytes.
func Read(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > Limit:
		return nil, errors.New("larger than 1 MiB")
	}
	return os.ReadFile(name)
}

// Cause is the part of an error without the path, for a sentence that has it.
func Cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
