package appservice

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fileMode lets the file's group read the file, because the homeserver and this
// service usually run as different users.
const fileMode fs.FileMode = 0o640

// ReadFile reads the registration at path. It refuses a device or a pipe,
// because reading one may never end.
func ReadFile(path string) (Registration, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Registration{}, err
	}
	if !info.Mode().IsRegular() {
		return Registration{}, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return Registration{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return Registration{}, err
	}
	r, err := Parse(text)
	if err != nil {
		return Registration{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// LintMode returns a finding if users other than the owner and the group have
// any permission for the file.
func LintMode(mode fs.FileMode) []Finding {
	if mode.Perm()&0o007 == 0 {
		return nil
	}
	return []Finding{{Doubtful, "mode", fmt.Sprintf("everybody on this machine may read its secrets (mode %04o)", mode.Perm()),
		"give it to the group of the homeserver and of this service, and set mode 0640"}}
}

// WriteFile writes r to path atomically, with mode 0640. If WriteFile replaces
// a file, the new file gets the owner and the group of the old file, if this
// process may set them.
func WriteFile(path string, r Registration) (err error) {
	old, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !old.Mode().IsRegular():
		return fmt.Errorf("%s exists and is not a regular file: move it away", path)
	}
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	_, err = file.Write(r.Text())
	if old != nil {
		KeepOwner(file, old)
	}
	err = errors.Join(err, file.Chmod(fileMode), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
