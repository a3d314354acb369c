package setup

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/internal/smallfile"
)

// folder is the deployment's folder. Its methods stay inside the folder, and
// follow no symbolic link.
type folder struct{ root *os.Root }

// openFolder opens a folder, and creates it if it does not exist.
func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	return &folder{root}, nil
}

func (f *folder) close() { f.root.Close() }

// read returns the content of a file. found is false if the file does not
// exist.
func (f *folder) read(name string) (content []byte, found bool, err error) {
	info, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, true, fmt.Errorf("%s is a symbolic link, which setup does not follow: put the file itself there, or remove the link", name)
	case info.IsDir():
		return nil, true, fmt.Errorf("%s is a folder, not a file (Docker makes a folder if the file is missing): remove it", name)
	case !info.Mode().IsRegular() || info.Size() > smallfile.Limit:
		return nil, true, fmt.Errorf("%s is not a file that setup could have written: remove it", name)
	}
	opened, err := f.root.Open(name)
	if err != nil {
		return nil, true, fmt.Errorf("%s cannot be read: %s", name, smallfile.Cause(err))
	}
	defer opened.Close()
	content, err = io.ReadAll(io.LimitReader(opened, smallfile.Limit))
	return content, true, err
}

// replaceable returns an error if name exists, but is not a regular file. It
// may be a folder or a link, which setup never makes.
func (f *folder) replaceable(name string) error {
	info, err := f.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file, so setup does not replace it: remove it", name)
	}
	return err
}

// write replaces a file atomically: after a crash the file has all of the old
// content or all of the new. The new file gets the owner and the group of the
// old one if this process may set them.
func (f *folder) write(name, content string, mode fs.FileMode) error {
	return f.copyFrom(strings.NewReader(content), name, mode)
}

// copyFrom does the same as write, with content from a reader.
func (f *folder) copyFrom(content io.Reader, name string, mode fs.FileMode) (err error) {
	temporary := "." + name + "." + rand.Text()
	defer func() {
		if err != nil {
			_ = f.root.Remove(temporary)
			err = fmt.Errorf("%s cannot be written: %s", name, smallfile.Cause(err))
		}
	}()
	t, err := f.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if old, statErr := f.root.Lstat(name); statErr == nil {
		appservice.KeepOwner(t, old)
	}
	_, err = io.Copy(t, content)
	err = errors.Join(err, t.Chmod(mode), t.Sync(), t.Close())
	if err != nil {
		return err
	}
	return f.root.Rename(temporary, name)
}

// half matches the names of the temporary files that the method write makes. The
// first submatch is the name of the file to be written, without .new or .bak.
var half = pattern.New(`^\.(.+?)(?:\.new)?(?:\.bak\d*)?\.[A-Z2-7]{26}$`)

// halves returns the names of the temporary files that interrupted writes of the
// files in names have left.
func (f *folder) halves(names []string) (list []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	for _, e := range entries {
		match := half().FindStringSubmatch(e.Name())
		if match != nil && e.Type().IsRegular() && slices.Contains(names, match[1]) {
			list = append(list, e.Name())
		}
	}
	return list, err
}

// rights returns the permission bits of a file.
func (f *folder) rights(name string) (fs.FileMode, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return 0, err
	}
	return info.Mode().Perm(), nil
}

// restrict removes those permissions of a file that mode does not contain.
func (f *folder) restrict(name string, mode fs.FileMode) error {
	rights, err := f.rights(name)
	if err != nil || rights&^mode == 0 {
		return err
	}
	return f.root.Chmod(name, rights&mode)
}

// open gives a file exactly the permissions of mode.
func (f *folder) open(name string, mode fs.FileMode) error {
	rights, err := f.rights(name)
	if err != nil || rights == mode {
		return err
	}
	return f.root.Chmod(name, mode)
}

func (f *folder) remove(name string) error { return f.root.Remove(name) }
