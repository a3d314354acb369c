//go:build redis

package faults

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// asking is a set of clients that ask for tokens all the time. It also holds
// the results of their requests.
type asking struct {
	w       *world
	stopped chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	requests int
	retried  int // how many requests were repeated at another process
	failures []error
}

// ask starts clients that ask for tokens until the method stop is called.
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

// once asks a process for a token. Like a proxy, it asks another process if the
// connection ends without an answer.
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

// mustSucceed stops the clients. It fails the test if a request failed. It also
// fails the test if the service refused a leave while [world.bustle] ran.
func (a *asking) mustSucceed(t *testing.T) {
	t.Helper()
	a.stop()
	t.Logf("%d token requests, %d of them on a second connection", a.requests, a.retried)
	if len(a.failures) > 0 {
		t.Errorf("got %d of %d requests failed, the first: %v, want 0", len(a.failures), a.requests, a.failures[0])
	}
	if a.requests < 20 { // even a slow machine makes more requests than this
		t.Errorf("got %d token requests, want at least 20", a.requests)
	}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	if len(a.w.refused) > 0 {
		t.Errorf("the service refused %d leaves, the first because: %v; want 0", len(a.w.refused), a.w.refused[0])
	}
}
