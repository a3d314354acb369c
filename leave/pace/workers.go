package pace

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// Workers divides a keeper's workers among the homeservers. So a slow or silent
// homeserver does not delay the jobs of other homeservers. The zero value is ready
// to use.
type Workers struct {
	mu sync.Mutex
	// busy has the start time of each worker that is at work now, by homeserver.
	busy map[matrix.ServerName][]time.Time
	// waiting holds the jobs that wait for a worker at a homeserver. The first
	// gets the next worker.
	waiting map[matrix.ServerName][]*waiter
	// quick holds the homeservers whose last answer came within slowTime.
	quick recent[struct{}]
}

const (
	// PoolSize is how many workers a keeper has.
	PoolSize  = 256
	mostOfOne = PoolSize / 4 // how many workers may be at work for one homeserver
	// A homeserver is slow if it is not known to be quick. mostOfSlow is how many
	// workers may be at work for all slow homeservers together. Each slow
	// homeserver may have an equal part.
	mostOfSlow = PoolSize / 2
	// An answer that takes at least slowTime is slow. Before a worker sends a
	// leave, it asks the SFU, and that time counts, too.
	slowTime = 2 * time.Second
)

// Take reports whether a worker may start at server. If Take allows that, the
// worker counts as at work there until release is called.
func (w *Workers) Take(server matrix.ServerName, u Urgency, now time.Time) (release func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mayHave(server, u, now) {
		return nil, false
	}
	w.begin(server, now)
	return func() { w.release(server, now) }, true
}

// begin records a worker that starts at server now. The caller holds w.mu.
func (w *Workers) begin(server matrix.ServerName, now time.Time) {
	if w.busy == nil {
		w.busy = map[matrix.ServerName][]time.Time{}
	}
	w.busy[server] = append(w.busy[server], now)
}

func (w *Workers) release(server matrix.ServerName, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.next(server)
	there := w.busy[server]
	if len(there) == 1 {
		delete(w.busy, server)
		return
	}
	i := slices.Index(there, since)
	w.busy[server] = slices.Delete(there, i, i+1)
}

// mayHave reports whether server may have one more worker. The caller holds w.mu.
func (w *Workers) mayHave(server matrix.ServerName, u Urgency, now time.Time) bool {
	mine := len(w.busy[server])
	if w.isQuick(server, now) {
		return mine < mostOfOne
	}
	servers, all := 0, 0
	for other, there := range w.busy {
		if other != server && !w.isQuick(other, now) {
			servers, all = servers+1, all+len(there)
		}
	}
	most := min(mostOfSlow/(servers+1), mostOfOne)
	if u < Leave {
		most /= 2 // half of the workers are kept for leaves and urgent restarts
	}
	return mine < max(most, 1) && all+mine < mostOfSlow
}

// isQuick reports whether the last answer of server came soon, and no worker has
// waited at server for slowTime. The caller holds w.mu.
func (w *Workers) isQuick(server matrix.ServerName, now time.Time) bool {
	there := w.busy[server]
	_, quick := w.quick.get(server)
	return quick && (len(there) == 0 || now.Sub(there[0]) < slowTime)
}

// Took records how long server took to answer. If server did not answer, took is
// how long a worker waited.
func (w *Workers) Took(server matrix.ServerName, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if took >= slowTime {
		w.quick.forget(server)
		return
	}
	w.quick.set(server, struct{}{})
}

// Wait returns how long a job must wait if its homeserver has all the workers that
// it may have. For a quick homeserver, Wait returns a random time of up to a
// second. So the jobs do not all come back at once.
func (w *Workers) Wait(server matrix.ServerName, delay time.Duration, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isQuick(server, now) {
		return leave.Attempt(delay)
	}
	return min(rand.N(time.Second), leave.Attempt(delay))
}
