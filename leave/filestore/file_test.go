package filestore

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
)

// always is a value for spare, the number of superfluous bytes that a file may have.
// With this value, the store replaces its file all the time.
const always = -1 << 40

func TestConformanceWhileWrittenAnew(t *testing.T) {
	leavetest.Run(t, func(t *testing.T) leavetest.Store { return newPlace(t).open(t, fast, always) })
}

// TestReopen makes random writes, and opens the store again. The store must have the
// same jobs as before.
func TestReopen(t *testing.T) {
	for _, spare := range []int64{always, 0, 2000, spare} {
		t.Run(fmt.Sprint(spare), func(t *testing.T) {
			p := newPlace(t)
			s := p.open(t, osDisk{}, spare)
			for range 2 {
				for range 100 {
					scribble(t, s)
				}
				want := jobs(t, s.memory)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = p.open(t, osDisk{}, spare)
				wantJobs(t, s, want)
			}
			if len(p.aside(t)) > 0 || p.log.Has("level=WARN") || p.log.Has("level=ERROR") {
				t.Errorf("log: got %s, want no damage", p.log.String())
			}
		})
	}
}

// scribble makes a random write to one of 20 jobs, chosen at random.
func scribble(t *testing.T, s *Store) {
	n := rand.IntN(20)
	_, err := s.Get(t.Context(), job(t, n).Key)
	switch {
	case errors.Is(err, leave.ErrNotFound):
		put(t, s, n)
	case rand.IntN(3) == 0:
		change(t, s, n, true)
	case rand.IntN(8) == 0:
		if err := s.Merge(t.Context(), []leave.Job{job(t, n), job(t, n+1)}); err != nil {
			t.Errorf("Merge: got %v, want no error", err)
		}
	default:
		change(t, s, n, false)
	}
}

func TestManyJobs(t *testing.T) {
	p := newPlace(t)
	s := p.open(t, osDisk{}, spare)
	many := make([]leave.Job, 3*maxJobs+1)
	for i := range many {
		many[i] = job(t, i)
	}
	if err := s.Merge(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	for _, d := range []disk{osDisk{}, osDisk{}} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = p.open(t, d, always)
		if got := len(s.Keys()); got != len(many) {
			t.Errorf("got %d jobs in the file, want %d", got, len(many))
		}
		for range 10 { // each of these writes also copies a part of the jobs to the file that will replace this one
			change(t, s, 1, false)
		}
	}
}

func TestFileDoesNotGrow(t *testing.T) {
	p := newPlace(t)
	s := p.open(t, osDisk{}, 10_000)
	for range 20 {
		for n := range 10 {
			if _, err := s.Get(t.Context(), job(t, n).Key); err != nil {
				put(t, s, n)
			}
			change(t, s, n, false)
		}
	}
	if got := len(p.read(t)); got > 25_000 {
		t.Errorf("10 jobs after 200 writes: got %d bytes, want at most 25,000", got)
	}
	if _, err := os.Stat(s.journal.successor()); err == nil && s.journal.next == nil {
		t.Error("a successor exists that the journal does not write, want none")
	}
}

func TestLeasesEndWithTheProcess(t *testing.T) {
	p := newPlace(t)
	s := p.open(t, osDisk{}, spare)
	put(t, s, 1)
	lent, err := s.Claim(t.Context(), "holder", begin, 1)
	if err != nil || len(lent) != 1 {
		t.Fatalf("Claim of 1 = %v, %v, want one job", lent, err)
	}
	if _, err := s.Save(t.Context(), lent[0]); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = p.open(t, osDisk{}, spare)
	if lent, err = s.Claim(t.Context(), "other", p.machine.Wall(), 1); err != nil || len(lent) != 1 {
		t.Errorf("Claim: got %v, %v, want one job", lent, err)
	}
}

func TestFileIsItsOwnersAlone(t *testing.T) {
	p := newPlace(t)
	put(t, p.open(t, osDisk{}, spare), 1)
	info, err := os.Stat(p.path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the mode of the file: got %o, want 600", got)
	}
}

func TestClosed(t *testing.T) {
	s := newPlace(t).open(t, osDisk{}, spare)
	put(t, s, 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	}
	if _, err := s.Put(t.Context(), job(t, 2)); !errors.Is(err, errClosed) {
		t.Errorf("Put after Close: got %v, want %v", err, errClosed)
	}
}

// TestOpenRefused opens a store in a missing directory, and at the path of a directory.
// Open must return an error that names the path.
func TestOpenRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing", "leaves.db"), filepath.Join(dir, "directory")} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s, err := Open(t.Context(), path, clock.New(), slog.New(slog.DiscardHandler))
			if err == nil {
				s.Close()
				t.Errorf("Open(%s): got no error, want one", path)
			} else if !strings.Contains(err.Error(), path) {
				t.Errorf("Open(%s): got %v, want %q in it", path, err, path)
			}
		})
	}
}
