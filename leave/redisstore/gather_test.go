package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
)

// halted is a store with some jobs, in which the first script hangs until goOn is
// closed.
type halted struct {
	*redisstore.Store
	jobs    []leave.Job
	scripts atomic.Int64
	goOn    chan struct{}
	running sync.WaitGroup
}

// halt returns a store with the given number of jobs. Its first script is already
// hanging.
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

// await waits until n changes are waiting for the hanging script.
func (h *halted) await(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() error {
		if got := redisstore.Waiting(h.Store); got != n {
			return fmt.Errorf("%d changes wait, want %d", got, n)
		}
		return nil
	})
}

// TestGathered has a script that hangs while many callers change jobs. When it has
// ended, a few scripts must make all these changes. Each caller must get the result of
// its own change.
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
	if got := h.scripts.Load(); got > 4 { // one for the first change, and three for the other 120
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

// TestGatheredBesideSlow has a slow script. Changes that come while this script is
// running must not wait until it has ended.
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

// TestGatheredInVain has a caller that gives up while its change waits. The store must
// not make this change.
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

// TestGatheredBesideHurried has two changes that come at the same time. One caller soon
// gives up. The store must still make the other caller's change.
func TestGatheredBesideHurried(t *testing.T) {
	h := halt(t, 2)
	redisstore.NeverSlow(h.Store)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // other calls have 30 s
	defer cancel()
	redisstore.BeforeScripts(h.Store, func() { <-ctx.Done() }) // acts like a slow Redis
	hurried, other := h.jobs[0], h.jobs[1]
	other.Looks = 1
	h.running.Go(func() {
		if _, err := h.Save(ctx, hurried); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Save of a caller with 1 s: got %v, want %v", err, context.DeadlineExceeded)
		}
	})
	h.running.Go(func() {
		if _, err := h.Save(t.Context(), other); err != nil {
			t.Errorf("Save of a caller with 30 s: got %v, want no error", err)
		}
	})
	h.await(t, 2)
	close(h.goOn)
	h.running.Wait()
	if got := get(t, h.Store, other.Key, nil).Looks; got != 1 {
		t.Errorf("the job of the caller with 30 s: got %d looks, want 1", got)
	}
}

// TestGroupsByTimeLeft checks which changes share a script. A script must end before the
// first of its callers gives up. This must not cost the other callers much of their
// time, so none of them may have more than twice as much time left as the first one.
func TestGroupsByTimeLeft(t *testing.T) {
	const h = time.Hour
	tests := map[string]struct {
		left []time.Duration
		want []int
	}{
		"one":                   {[]time.Duration{h}, []int{1}},
		"alike":                 {[]time.Duration{7 * h, 8 * h, 9 * h}, []int{3}},
		"one is hurried":        {[]time.Duration{8 * h, h, 7 * h}, []int{2, 1}},
		"each half of the last": {[]time.Duration{1 * h, 3 * h, 7 * h, 15 * h}, []int{1, 1, 1, 1}},
		"no time left":          {[]time.Duration{-h, h, -3 * h}, []int{1, 1, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := redisstore.GroupsByTimeLeft(tt.left...); !slices.Equal(got, tt.want) {
				t.Errorf("groups for %v: got the sizes %v, want %v", tt.left, got, tt.want)
			}
		})
	}
}
