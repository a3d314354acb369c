//go:build redis

package faults

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// asking asks for tokens all the time.
type asking struct {
	w       *world
	stopped chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	requests int
	retried  int // on another connection, to another process
	failures []error
}

// ask begins, with so many clients at a time.
func (w *world) ask(clients int) *asking {
	a := &asking{w: w, stopped: make(chan struct{})}
	w.t.Cleanup(a.stop)
	for i := range clients {
		request := w.newRequest(fmt.Sprint("asking", i), "call")
		a.running.Go(func() {
			for {
				select {
				case <-a.stopped:
					return
				case <-time.After(5 * time.Millisecond):
					a.once(request)
				}
			}
		})
	}
	return a
}

// once asks, and once more elsewhere if the connection ends, as a proxy does.
func (a *asking) once(request map[string]any) {
	_, retried, err := a.w.persist(request)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests++
	if retried {
		a.retried++
	}
	if err != nil {
		a.failures = append(a.failures, err)
	}
}

func (a *asking) stop() {
	a.mu.Lock()
	select {
	case <-a.stopped:
	default:
		close(a.stopped)
	}
	a.mu.Unlock()
	a.running.Wait()
}

// mustSucceed ends it and fails the test if a request failed, or a leave was not
// taken over in the bustle meanwhile.
func (a *asking) mustSucceed(t *testing.T) {
	t.Helper()
	a.stop()
	t.Logf("%d token requests, %d of them on a second connection", a.requests, a.retried)
	if len(a.failures) > 0 {
		t.Errorf("got %d of %d requests failed, the first: %v, want 0", len(a.failures), a.requests, a.failures[0])
	}
	if a.requests < 20 { // a slow machine has made more in that time
		t.Errorf("got %d token requests, want at least 20", a.requests)
	}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	if len(a.w.refused) > 0 {
		t.Errorf("%d leaves were not taken over, the first: %v, want 0", len(a.w.refused), a.w.refused[0])
	}
}
