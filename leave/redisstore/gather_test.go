package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
)

// halted is a store with some jobs. Its first script hangs until goOn is closed.
type halted struct {
	*redisstore.Store
	jobs    []leave.Job
	scripts atomic.Int64
	goOn    chan struct{}
	running sync.WaitGroup
}

// halt returns a store whose first script is running, and hangs.
func halt(t *testing.T, jobs int) *halted {
	t.Helper()
	h := &halted{Store: openWith(t, options(miniredis.RunT(t), nil)), goOn: make(chan struct{})}
	for i := range jobs {
		job := delegation(t, fmt.Sprint("job", i), time.Now())
		put(t, h.Store, job)
		h.jobs = append(h.jobs, get(t, h.Store, job.Key, nil))
	}
	arrived := make(chan struct{})
	redisstore.BeforeScripts(h.Store, func() {
		if h.scripts.Add(1) == 1 {
			close(arrived)
			<-h.goOn
		}
	})
	h.running.Go(func() { put(t, h.Store, delegation(t, "first", time.Now())) })
	<-arrived
	return h
}

// await waits until n changes wait for the script.
func (h *halted) await(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() error {
		if got := redisstore.Waiting(h.Store); got != n {
			return fmt.Errorf("%d changes wait, want %d", got, n)
		}
		return nil
	})
}

// TestGathered: while a script is running, many callers make changes. A few more
// scripts make all of them, and each caller gets its own result.
func TestGathered(t *testing.T) {
	const callers = 120
	h := halt(t, callers)
	redisstore.NeverSlow(h.Store)
	var results [callers]error
	for i, job := range h.jobs {
		switch i % 4 {
		case 0:
			h.running.Go(func() { results[i] = h.Delete(t.Context(), job) })
		case 1:
			job.Version--
			fallthrough
		default:
			job.Looks = i
			h.running.Go(func() {
				saved, err := h.Save(t.Context(), job)
				if results[i] = err; err == nil && saved.Version <= job.Version {
					t.Errorf("job %d: got version %d after %d, want a later one", i, saved.Version, job.Version)
				}
			})
		}
	}
	h.await(t, callers)
	close(h.goOn)
	h.running.Wait()
	if got := h.scripts.Load(); got > 4 { // the first one, and three for 120 changes
		t.Errorf("%d changes took %d scripts, want 4", callers+1, got)
	}
	for i, err := range results {
		want := map[int]error{1: leave.ErrConflict}[i%4]
		if !errors.Is(err, want) {
			t.Errorf("job %d: got %v, want %v", i, err, want)
		}
		stored, err := h.Get(t.Context(), h.jobs[i].Key)
		switch {
		case i%4 == 0 && !errors.Is(err, leave.ErrNotFound):
			t.Errorf("Get of job %d, which was removed: got %v, want %v", i, err, leave.ErrNotFound)
		case i%4 == 1 && stored.Looks != 0, i%4 > 1 && stored.Looks != i:
			t.Errorf("job %d: got %d looks, want the number that its caller wrote, or 0 after a conflict", i, stored.Looks)
		}
	}
}

// TestGatheredBesideSlow: changes do not wait for a script that is slow.
func TestGatheredBesideSlow(t *testing.T) {
	h := halt(t, 100)
	var running sync.WaitGroup
	next := 0
	eventually(t, func() error {
		job := h.jobs[next]
		next++
		running.Go(func() {
			if _, err := h.Save(t.Context(), job); err != nil {
				t.Errorf("Save: %v, want no error", err)
			}
		})
		if n := redisstore.Waiting(h.Store); n > 0 || next == 1 {
			return fmt.Errorf("%d changes wait, want none", n)
		}
		return nil
	})
	running.Wait()
	close(h.goOn)
	h.running.Wait()
}

// TestGatheredInVain: the change of a caller that has no time left is not made.
func TestGatheredInVain(t *testing.T) {
	h := halt(t, 2)
	redisstore.NeverSlow(h.Store)
	ctx, cancel := context.WithCancel(t.Context())
	left, stays := h.jobs[0], h.jobs[1]
	left.Looks, stays.Looks = 1, 1
	ended := make(chan error)
	go func() {
		_, err := h.Save(ctx, left)
		ended <- err
	}()
	h.await(t, 1)
	h.running.Go(func() {
		if _, err := h.Save(t.Context(), stays); err != nil {
			t.Errorf("Save: %v, want no error: only the other caller has left", err)
		}
	})
	h.await(t, 2)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Save of a caller that has given up: got %v, want %v", err, context.Canceled)
	}
	close(h.goOn)
	h.running.Wait()
	for key, want := range map[leave.Key]int{left.Key: 0, stays.Key: 1} {
		if got := get(t, h.Store, key, nil).Looks; got != want {
			t.Errorf("%s: got %d looks, want %d", key.Identity, got, want)
		}
	}
}
