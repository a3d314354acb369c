package filestore

import (
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/standby"
)

var _ standby.Resident = (*Store)(nil)

// guarded returns a standby store for s, which answers from memory while s fails.
func guarded(tb testing.TB, s *Store) *standby.Store {
	g := standby.New(tb.Context(), s, slog.New(slog.DiscardHandler), nil)
	tb.Cleanup(func() { g.Close() })
	return g
}

func TestConformanceWithStandby(t *testing.T) {
	leavetest.RunVirtual(t, func(t *testing.T) leavetest.Store { return guarded(t, newPlace(t).open(t, fast, spare)) })
}

// TestGoesOnWithoutDisk has a standby store, and a disk that fails or hangs. Writes to
// the store must succeed. When the disk works again, the store must write all of them
// to the file.
func TestGoesOnWithoutDisk(t *testing.T) {
	for name, ops := range map[string][]string{
		"full":      {"write", "create"},
		"read-only": {"write", "sync", "create", "rename", "remove"},
		"asleep":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asleep atomic.Bool
				awake := make(chan struct{})
				d := &trouble{err: syscall.EROFS, ops: ops}
				p := newPlace(t)
				s := p.open(t, faultDisk{fault: func(op, name string) error {
					if op == "sync" && asleep.Load() {
						<-awake
					}
					return d.fault(op, name)
				}}, spare)
				g := guarded(t, s)
				for n := range 3 {
					putTo(t, g, n)
				}

				d.on.Store(true)
				asleep.Store(len(ops) == 0)
				begun := time.Now()
				for n := 3; n < 10; n++ {
					putTo(t, g, n)
				}
				ended, err := g.Get(t.Context(), job(t, 1).Key)
				if err == nil {
					err = g.Delete(t.Context(), ended)
				}
				if took := time.Since(begun); err != nil || took > time.Second || !g.Status().Degraded {
					t.Errorf("got %v after %v, degraded %v, want no error within 1 s, degraded", err, took, g.Status().Degraded)
				}
				time.Sleep(10 * time.Minute)
				if !g.Status().Degraded {
					t.Error("Degraded while the disk fails: got false, want true")
				}

				d.on.Store(false)
				if asleep.Swap(false) {
					close(awake)
				}
				time.Sleep(5 * time.Second)
				if g.Status().Degraded {
					t.Error("Degraded when the disk is well: got true, want false")
				}
				want := jobs(t, s.memory)
				g.Close()
				again := p.open(t, osDisk{}, spare)
				wantIDs(t, again, 0, 2, 3, 4, 5, 6, 7, 8, 9)
				wantJobs(t, again, want)
			})
		})
	}
}

func putTo(t *testing.T, s leave.Store, n int) {
	t.Helper()
	if _, err := s.Put(t.Context(), job(t, n)); err != nil {
		t.Errorf("Put: got %v, want no error", err)
	}
}

// TestMemoryWithStandby has a standby store for a file store. The standby store must
// not keep its own copies of the jobs.
func TestMemoryWithStandby(t *testing.T) {
	// most is the limit in bytes for each job. It is 100 bytes more than in the test of
	// package memstore, because on a busy machine some jobs still wait to be written.
	const most = 700
	got := leavetest.BytesPerJob(t, 30_000, func() leavetest.Store { return guarded(t, newPlace(t).open(t, fast, spare)) })
	if got > most {
		t.Errorf("a job needs %.0f bytes of heap, want at most %d", got, most)
	}
}
