// Package smallfile reads small files that an operator names.
package smallfile

import (
	"errors"
	"io/fs"
	"os"
)

// Limit bounds the bytes of a file that is read into memory.
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

// Cause returns the error without its path, for a sentence that names the path.
func Cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
