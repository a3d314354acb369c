// Package smallfile reads small files that an operator names.
package smallfile

import (
	"errors"
	"io/fs"
	"os"
)

// Limit bounds the bytes of a file that is read into memory.
const Limit = 1 << 20

// Read returns the content of a regular file, which must have at most [Limit]
// bytes.
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

// Cause returns err without the path, for a sentence that already names the path.
func Cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
