package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lookEvery is the time between two checks of the file while the store has nothing to
// write. Such a check is needed because other programs can delete, move or truncate the
// file.
const lookEvery = 5 * time.Second

// repairs counts how often the store has written the file again after another program
// had changed it. It also records what that program did the last time.
type repairs struct {
	n   int
	why string
}

// lost returns what other programs have done to the file. It returns "" if they have
// done nothing to it.
func (j *journal) lost() string {
	at, err := os.Stat(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the file was deleted or moved"
	case err != nil:
		return fmt.Sprintf("the file cannot be examined (%v)", err)
	case j.locks.data == nil || !isAt(j.locks.data, j.path):
		return "another file or directory is in its place"
	case at.Size() != j.out.size:
		return fmt.Sprintf("the file has %d bytes instead of %d", at.Size(), j.out.size)
	}
	return ""
}

// look checks the file and its locks while the store has nothing to write. If the last
// write failed, look tries to write the whole file again.
func (j *journal) look() {
	if j.out == nil {
		_ = j.renew() // renew records its own failure
		return
	}
	switch err := j.locks.takeName(); {
	case errors.Is(err, errTaken):
		j.log.Error("leave file: another process holds the lock file", "path", j.path)
	case err != nil:
		j.log.Error("leave file: the lock file was deleted and cannot be created again", "path", j.path, "err", err)
	}
	if why := j.lost(); why != "" {
		_ = j.repair(why) // repair records its own failure
	}
}

// repair writes the whole file again after another program has changed or removed it.
func (j *journal) repair(why string) error {
	j.log.Error("leave file: another program has changed the file; it is written again with all leaves", "path", j.path, "why", why)
	j.mu.Lock()
	j.repairs = repairs{j.repairs.n + 1, why}
	j.mu.Unlock()
	j.out.Close()
	j.out = nil
	j.dropNext()
	return j.renew()
}

// clear makes sure that the store can write its file at path. If a file is there that is
// not the store's, clear renames this file. If a different process has locked this file,
// clear returns an error.
func (j *journal) clear() error {
	if err := j.locks.takeName(); err != nil {
		return fmt.Errorf("the lock file: %w", err)
	}
	if j.locks.data != nil && isAt(j.locks.data, j.path) {
		return nil
	}
	info, err := os.Lstat(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().IsRegular() {
		var f *os.File
		if f, err = lockedFile(j.path); err == nil {
			defer f.Close()
		}
	}
	if err != nil {
		return err
	}
	aside := j.path + ".replaced-" + time.Now().UTC().Format("20060102T150405.000Z")
	j.log.Warn("leave file: another program's file is at the path of the leave file; the service renames that file", "path", j.path, "kept_as", aside)
	return j.disk.rename(j.path, aside)
}
