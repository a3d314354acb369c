package filestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/logtest"
)

// trouble makes the operations ops of a disk fail with the error err, while the field
// on is true.
type trouble struct {
	err  error
	ops  []string
	file string // only operations on files whose names end with this text fail
	on   atomic.Bool
}

func (d *trouble) fault(op, name string) error {
	if d.on.Load() && slices.Contains(d.ops, op) && strings.HasSuffix(name, d.file) {
		return d.err
	}
	return nil
}

// TestFailedWrites has a disk that fails for a while. In this time, writes must fail,
// and Claim must still work. Acknowledged writes must stay on the disk. When the disk
// works again, the store must write all jobs to it.
func TestFailedWrites(t *testing.T) {
	for name, d := range map[string]*trouble{
		"disk full":     {err: syscall.ENOSPC, ops: []string{"write", "create"}},
		"fsync fails":   {err: syscall.EIO, ops: []string{"sync"}},
		"read-only":     {err: syscall.EROFS, ops: []string{"write", "sync", "create", "rename", "remove"}},
		"taken no name": {err: syscall.EBUSY, ops: []string{"write", "rename"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				s := p.open(t, faultDisk{fault: d.fault}, spare)
				put(t, s, 1)
				d.on.Store(true)
				for _, n := range []int{2, 3, 4} {
					if _, err := s.Put(t.Context(), job(t, n)); !errors.Is(err, d.err) || !strings.Contains(err.Error(), p.path) {
						t.Errorf("Put: got %v, want %v with the file's name", err, d.err)
					}
					time.Sleep(failurePause * 2 / 3)
				}
				if lent, err := s.Claim(t.Context(), "holder", begin, 10); err != nil || len(lent) != 4 {
					t.Errorf("Claim: got %d jobs, %v, want 4 at once", len(lent), err)
				}
				if on := onDisk(t, p); !slices.Contains(on, 1) {
					t.Errorf("on the disk: got the jobs %d, want the acknowledged job 1 among them", on)
				}
				d.on.Store(false)
				time.Sleep(failurePause)
				put(t, s, 5)
				if got := onDisk(t, p); !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
					t.Errorf("on the disk: got the jobs %d, want 1 to 5", got)
				}
				if !p.log.Has("level=ERROR") || !p.log.Has("written again") || len(p.aside(t)) > 0 {
					t.Errorf("got %q kept, and the log %q, want no file, an error, and \"written again\"", p.aside(t), p.log.String())
				}
			})
		})
	}
}

// TestFailureIsToldOnce has a disk that fails again and again. Each time when the disk
// begins to fail, the log must get one error. After a failure, the store must not use
// the disk for failurePause.
func TestFailureIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		d := &trouble{err: syscall.ENOSPC, ops: []string{"write"}}
		var asked atomic.Int32
		s := p.open(t, faultDisk{fault: func(op, name string) error {
			asked.Add(1)
			return d.fault(op, name)
		}}, spare)
		for want := 1; want <= 2; want++ {
			d.on.Store(true)
			_, err := s.Put(t.Context(), job(t, 1))
			before := asked.Load()
			for range 10 {
				_, err = s.Put(t.Context(), job(t, 1))
			}
			if !errors.Is(err, syscall.ENOSPC) || asked.Load() != before {
				t.Errorf("Put: got %v, and %d writes, want %v and none", err, asked.Load()-before, syscall.ENOSPC)
			}
			time.Sleep(failurePause)
			_, _ = s.Put(t.Context(), job(t, 1))
			d.on.Store(false)
			time.Sleep(failurePause)
			put(t, s, 1)
			if got := p.log.Count("level=ERROR"); got != want {
				t.Errorf("%d errors were logged, want %d", got, want)
			}
		}
	})
}

// onDisk returns the numbers of the jobs that a new process would find in the file.
func onDisk(t *testing.T, p place) []int {
	t.Helper()
	copied := place{filepath.Join(t.TempDir(), "leaves.db"), p.machine, &logtest.Log{}}
	copied.write(t, p.read(t))
	s := copied.open(t, osDisk{}, spare)
	defer s.Close()
	if copied.log.Has("level=ERROR") {
		t.Errorf("a copy of the disk: got the log %s, want no damage", copied.log.String())
	}
	return ids(t, s)
}

func TestDiskFullAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		put(t, p.open(t, osDisk{}, spare), 1)
		p.write(t, append(p.read(t), "torn"...))
		// The test opens a copy of the file, because the first store still holds the lock
		// of its file.
		moved := place{filepath.Join(t.TempDir(), "leaves.db"), p.machine, p.log}
		moved.write(t, p.read(t))
		full := trouble{err: syscall.ENOSPC, ops: []string{"create"}}
		full.on.Store(true)
		s := moved.open(t, faultDisk{fault: full.fault}, spare)
		wantIDs(t, s, 1)
		if _, err := s.Put(t.Context(), job(t, 2)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Put: got %v, want %v", err, syscall.ENOSPC)
		}
		full.on.Store(false)
		time.Sleep(failurePause)
		put(t, s, 3)
		if got := onDisk(t, moved); !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("on the disk: got the jobs %d, want 1 to 3", got)
		}
	})
}

// TestSuccessorFails has a disk on which the store cannot write the successor. That is
// the smaller file with which the store wants to replace its file. Writes must succeed
// nevertheless.
func TestSuccessorFails(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename"} {
		t.Run(op, func(t *testing.T) {
			p := newPlace(t)
			d := &trouble{err: syscall.EIO, ops: []string{op}, file: ".new"}
			// This creates the leave file. From now on, only a smaller file that is to
			// replace the leave file has a name that ends with .new.
			p.open(t, osDisk{}, spare).Close()
			s := p.open(t, faultDisk{fault: d.fault}, 500)
			d.on.Store(true)
			for n := range 10 {
				put(t, s, n)
			}
			// After a failure, the store tries to write a smaller file again when the leave
			// file has doubled in size.
			if got := p.log.Count("level=WARN"); got < 1 || got > 3 {
				t.Errorf("10 writes that fail: got %d lines in the log, want 1 to 3", got)
			}
			d.on.Store(false)
			for n := range 10 {
				change(t, s, n, false)
			}
			want := jobs(t, s.memory)
			s.Close()
			if _, err := os.Stat(p.path + ".new"); err == nil {
				t.Errorf("the successor %s.new still exists after Close, want it removed", p.path)
			}
			wantJobs(t, p.open(t, osDisk{}, spare), want)
		})
	}
}

// TestDirectoryFails has a disk that cannot sync the directory after the store has
// renamed the successor (the new file). Then no write may be acknowledged.
func TestDirectoryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		d := &trouble{err: syscall.EIO, ops: []string{"syncdir"}}
		s := p.open(t, faultDisk{fault: d.fault}, always)
		d.on.Store(true)
		var err error
		for n := 0; err == nil && n < 10; n++ {
			_, err = s.Put(t.Context(), job(t, n))
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("Put: got %v, want %v", err, syscall.EIO)
		}
		d.on.Store(false)
		time.Sleep(failurePause)
		put(t, s, 11)
		want := jobs(t, s.memory)
		s.Close()
		wantJobs(t, p.open(t, osDisk{}, spare), want)
	})
}

// TestSleepingDisk has a disk whose sync hangs. Calls must return when their context
// ends, and the store must still answer questions. When the sync goes on, the store
// must make all waiting writes.
func TestSleepingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		var asleep atomic.Bool
		awake := make(chan struct{})
		s := p.open(t, faultDisk{fault: func(op, _ string) error {
			if op == "sync" && asleep.Load() {
				<-awake
			}
			return nil
		}}, spare)
		put(t, s, 1)
		asleep.Store(true)
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() {
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := s.Put(ctx, job(t, 2+n))
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
					t.Errorf("Put: got %v after %v, want %v after 1 s", err, took, context.DeadlineExceeded)
				}
			})
		}
		wg.Wait()
		start := time.Now()
		if lent, err := s.Claim(t.Context(), "holder", begin, 10); err != nil || len(lent) != 4 || time.Since(start) > 0 {
			t.Errorf("Claim: got %d jobs, %v, want 4 at once", len(lent), err)
		}
		close(awake)
		put(t, s, 5)
		s.Close()
		wantIDs(t, p.open(t, osDisk{}, spare), 1, 2, 3, 4, 5)
	})
}

// TestSharedSync makes several writes while the disk is busy. One sync must be enough
// for all of them.
func TestSharedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers = 200
		p := newPlace(t)
		var slow atomic.Bool
		var syncs atomic.Int32
		first := make(chan struct{})
		s := p.open(t, faultDisk{fault: func(op, _ string) error {
			if op == "sync" && slow.Load() {
				syncs.Add(1)
				<-first
			}
			return nil
		}}, spare)
		slow.Store(true)
		var wg sync.WaitGroup
		for n := range writers {
			wg.Go(func() { put(t, s, n) })
		}
		synctest.Wait()
		close(first)
		wg.Wait()
		if got := syncs.Load(); got != 2 {
			t.Errorf("got %d syncs for %d writes, want 2: one for the first write, and one for all others", got, writers)
		}
	})
}
