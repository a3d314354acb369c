package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"

	"matrixrtc-auth/internal/timing"
)

const (
	// lockTime is how long acquire waits for another process to close the file.
	// When a new process replaces an old one, the old one takes some seconds to
	// end.
	lockTime  = 15 * time.Second
	lockPause = 100 * time.Millisecond
)

// locks keep other processes from opening the store's file. One lock is on the file
// path.lock, which stays when the store's file is replaced. The other lock is on
// the store's file itself. It keeps other processes out even if somebody deletes
// path.lock.
type locks struct {
	path string
	name *flock.Flock // the lock on path.lock
	data *os.File     // the locked file at path; nil if there is none
}

var errTaken = errors.New("another process has the lock")

// acquire takes the locks of the store's file at path. If another process holds
// them, it waits for up to lockTime.
func acquire(ctx context.Context, path string) (*locks, error) {
	for _, name := range []string{path, path + ".lock"} {
		if err := mustBeFile(name); err != nil {
			return nil, err
		}
	}
	l := &locks{path: path, name: flock.New(path + ".lock")}
	waiting, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	for {
		err := l.take()
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, errTaken) {
			return nil, errors.Join(fmt.Errorf("the leave file %s cannot be locked: %w", path, err), l.close())
		}
		if timing.Sleep(waiting, lockPause) {
			continue
		}
		if err := l.close(); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("waiting for the leave file %s: %w", path, ctx.Err())
		}
		return nil, fmt.Errorf("the leave file %s has been in use by another process for %v: end that process, or use another file for this one", path, lockTime)
	}
}

// mustBeFile returns an error for anything but a regular file, because opening
// a pipe may block for ever.
func mustBeFile(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the leave file cannot be read: %w", err)
	case info.Mode().IsRegular():
		return nil
	}
	kind := "a device"
	switch info.Mode().Type() {
	case fs.ModeDir:
		kind = "a directory"
	case fs.ModeNamedPipe:
		kind = "a named pipe (FIFO)"
	case fs.ModeSocket:
		kind = "a socket"
	}
	return fmt.Errorf("the leave file cannot be %s: it is %s; name a regular file, or one that is not there yet, in LIVEKIT_STORE", name, kind)
}

// take takes both locks. It returns errTaken if another process holds one.
func (l *locks) take() error {
	if err := l.takeName(); err != nil {
		return err
	}
	return l.takeData()
}

// takeName locks the file that is now at path.lock.
func (l *locks) takeName() error {
	if l.hasName() {
		return nil
	}
	if err := l.name.Close(); err != nil { // releases the lock on the deleted file
		return err
	}
	l.name = flock.New(l.path + ".lock")
	switch locked, err := l.name.TryLock(); {
	case err != nil:
		return err
	case !locked || !l.hasName():
		return errTaken
	}
	return nil
}

// hasName reports whether path.lock exists and this process has locked it.
func (l *locks) hasName() bool {
	return l.name.Locked() && isAt(l.name, l.path+".lock")
}

// takeData locks the file that is now at path, if there is one.
func (l *locks) takeData() error {
	if l.data != nil && isAt(l.data, l.path) {
		return nil
	}
	f, err := lockedFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		l.replaceData(f)
	}
	return err
}

func (l *locks) replaceData(f *os.File) {
	if l.data != nil {
		l.data.Close()
	}
	l.data = f
}

func (l *locks) close() error {
	l.replaceData(nil)
	return l.name.Close()
}

// isAt reports whether name is now the name of the open file f.
func isAt(f interface{ Stat() (fs.FileInfo, error) }, name string) bool {
	at, err := os.Stat(name)
	if err != nil {
		return false
	}
	is, err := f.Stat()
	return err == nil && os.SameFile(at, is)
}
