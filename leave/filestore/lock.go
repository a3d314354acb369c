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
	// lockTime is how long acquire waits until another process closes the file. When a
	// new process replaces an old one, the old process needs some seconds to end.
	lockTime  = 15 * time.Second
	lockPause = 100 * time.Millisecond
)

// locks keep other processes from opening the store's file. One lock is on the file
// path.lock, which stays when the store replaces its file. The other lock is on the
// store's file. It is needed if somebody deletes path.lock.
type locks struct {
	path string
	name *flock.Flock // the lock on path.lock
	data *os.File     // the file at path, which is locked; nil if there is no file
}

var errTaken = errors.New("another process has the lock")

// acquire takes the locks of the store's file at path. If another process holds them,
// acquire waits for at most lockTime.
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

// mustBeFile returns an error unless name is a regular file. If it were a pipe, opening
// it could block for ever.
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

// take takes both locks. It returns errTaken if another process holds one of them.
func (l *locks) take() error {
	if err := l.takeName(); err != nil {
		return err
	}
	return l.takeData()
}

// takeName locks path.lock. If another program has deleted or replaced path.lock,
// takeName locks the file that is there now.
func (l *locks) takeName() error {
	if l.hasName() {
		return nil
	}
	if err := l.name.Close(); err != nil { // this releases the lock on the deleted file
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

// hasName reports whether path.lock exists and is locked by this process.
func (l *locks) hasName() bool {
	return l.name.Locked() && isAt(l.name, l.path+".lock")
}

// takeData locks the file at path. If there is no file, it does nothing.
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

// isAt reports whether the file at the path name is the open file f.
func isAt(f interface{ Stat() (fs.FileInfo, error) }, name string) bool {
	at, err := os.Stat(name)
	if err != nil {
		return false
	}
	is, err := f.Stat()
	return err == nil && os.SameFile(at, is)
}
