//go:build unix

package filestore

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/clock"
)

// losses are the ways in which other programs can change or remove the file.
var losses = map[string]func(t *testing.T, path string) error{
	"deleted":   func(_ *testing.T, path string) error { return os.Remove(path) },
	"moved":     func(_ *testing.T, path string) error { return os.Rename(path, path+".old") },
	"truncated": func(_ *testing.T, path string) error { return os.Truncate(path, 0) },
	"cut short": func(_ *testing.T, path string) error { return os.Truncate(path, 30) },
	"longer":    func(_ *testing.T, path string) error { return os.Truncate(path, 1<<20) },
	"replaced": func(_ *testing.T, path string) error {
		if err := os.WriteFile(path+".copy", []byte("old things"), 0o600); err != nil {
			return err
		}
		return os.Rename(path+".copy", path)
	},
	"a directory": func(_ *testing.T, path string) error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.Mkdir(path, 0o700)
	},
	"a pipe": func(_ *testing.T, path string) error {
		if err := os.Remove(path); err != nil {
			return err
		}
		return syscall.Mkfifo(path, 0o600)
	},
	"deleted with its lock": func(_ *testing.T, path string) error {
		if err := os.Remove(path + ".lock"); err != nil {
			return err
		}
		return os.Remove(path)
	},
}

// TestLost changes or removes the store's file while the store is open, as another
// program could do. The store must write the file again with all jobs, at its next write or at
// its next check.
func TestLost(t *testing.T) {
	for name, lose := range losses {
		for _, writes := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPlace(t)
					s := p.open(t, osDisk{}, spare)
					put(t, s, 1)
					put(t, s, 2)
					if err := lose(t, p.path); err != nil {
						t.Fatal(err)
					}
					want := []int{1, 2}
					if writes {
						put(t, s, 3)
						want = append(want, 3)
					} else {
						time.Sleep(lookEvery + time.Millisecond)
					}
					if got := onDisk(t, p); len(got) != len(want) {
						t.Errorf("on the disk: got the jobs %d, want %d", got, want)
					}
					if now := s.Status(); now.Repairs != 1 || now.Why == "" {
						t.Errorf("Status: got %+v, want one repair with a reason", now)
					}
					if !p.log.Has("written again") {
						t.Errorf("log: got %q, want \"written again\" in it", p.log.String())
					}
					put(t, s, 4)
					time.Sleep(time.Minute)
					if now := s.Status(); now.Repairs != 1 {
						t.Errorf("Status a minute later: got %d repairs, want 1", now.Repairs)
					}
					s.Close()
					wantIDs(t, p.open(t, osDisk{}, spare), append(want, 4)...)
				})
			})
		}
	}
}

// TestLostWithItsDirectory moves the directory of the file away. The store's status
// must say this before the next write. When the directory exists again, the store must
// write its file there.
func TestLostWithItsDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.path = filepath.Join(filepath.Dir(p.path), "below", "leaves.db")
		dir := filepath.Dir(p.path)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s := p.open(t, osDisk{}, spare)
		put(t, s, 1)
		if err := os.Rename(dir, dir+".old"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery + time.Second)
		if got := s.Status().Failing; !strings.Contains(got, "no such file or directory") {
			t.Errorf("Status.Failing without the directory: got %q, want \"no such file or directory\" in it", got)
		}
		if p.log.Has("another process") {
			t.Errorf("log: got %s, want no other process in it", p.log.String())
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery + time.Second)
		if got := s.Status().Failing; got != "" {
			t.Errorf("Status.Failing with a new directory: got %q, want \"\"", got)
		}
		s.Close()
		wantIDs(t, p.open(t, osDisk{}, spare), 1)
	})
}

// TestLinkedFile has a symbolic link at the store's path. It must stay a link. The
// store must use the file to which the link leads. If that file is missing, the store
// must create it.
func TestLinkedFile(t *testing.T) {
	for name, begun := range map[string]bool{"begun": true, "new": false} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			file := p
			file.path = filepath.Join(t.TempDir(), "file")
			if err := os.Symlink(file.path, p.path); err != nil {
				t.Fatal(err)
			}
			if begun {
				s := file.open(t, osDisk{}, spare)
				put(t, s, 1)
				s.Close()
			}
			s := p.open(t, osDisk{}, always)
			put(t, s, 1)
			for range 20 { // after this many writes, the store replaces its file
				put(t, s, 2)
			}
			s.Close()
			if to, err := os.Readlink(p.path); err != nil || to != file.path {
				t.Errorf("the link leads to %q (%v), want %q", to, err, file.path)
			}
			wantIDs(t, file.open(t, osDisk{}, spare), 1, 2)
		})
	}
}

// TestNoFile has something other than a regular file at the path of the store, or of
// its lock. Open must return an error immediately.
func TestNoFile(t *testing.T) {
	for kind, make := range map[string]func(path string) error{
		"named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory":  func(path string) error { return os.Mkdir(path, 0o700) },
		"device":     func(path string) error { return os.Symlink(os.DevNull, path) },
	} {
		for _, behind := range []string{"", ".lock"} {
			t.Run(kind+behind, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "leaves.db")
				if err := make(path + behind); err != nil {
					t.Fatal(err)
				}
				s, err := Open(t.Context(), path, clock.New(), nil)
				if err == nil {
					s.Close()
					t.Fatal("Open: got no error, want one")
				}
				for _, want := range []string{path + behind, kind, "LIVEKIT_STORE"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("Open: got %q, want %q in it", err, want)
					}
				}
			})
		}
	}
}

// TestLockFileIsDeleted deletes the lock file of an open store. A second process must
// still be unable to open the store. The first store must soon create the lock file
// again.
func TestLockFileIsDeleted(t *testing.T) {
	for name, spare := range map[string]int64{"the file itself": spare, "one that took over": always} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				s := p.open(t, osDisk{}, spare)
				put(t, s, 1)
				put(t, s, 2)
				if err := os.Remove(p.path + ".lock"); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				second, err := Open(t.Context(), p.path, clock.New(), nil)
				if err == nil {
					second.Close()
					t.Fatal("Open by a second process: got no error, want one")
				}
				if took := time.Since(start); took < lockTime || !strings.Contains(err.Error(), "in use") {
					t.Errorf("Open by a second process: got %v after %v, want an error with \"in use\" after %v", err, took, lockTime)
				}
				put(t, s, 3)
				if len(p.aside(t)) > 0 || s.Status().Repairs > 0 {
					t.Errorf("got %q kept and %d repairs, want that the second one changes nothing", p.aside(t), s.Status().Repairs)
				}
				time.Sleep(2 * lookEvery)
				if _, err := os.Stat(p.path + ".lock"); err != nil {
					t.Errorf("looking for the lock file after two checks: got %v, want it created again", err)
				}
			})
		})
	}
}
