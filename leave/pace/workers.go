package pace

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// Workers divides a keeper's workers among the homeservers. So a homeserver that is
// slow or does not answer does not delay the jobs of other homeservers. The zero value
// is ready to use.
type Workers struct {
	mu sync.Mutex
	// busy has the workers that are at work for each homeserver. For each worker, it
	// holds the time when the worker began its present job.
	busy map[matrix.ServerName][]time.Time
	// waiting has the jobs that wait for a worker of a homeserver. The first job gets
	// the next free worker.
	waiting map[matrix.ServerName][]*waiter
	// quick has the homeservers whose last answer took less than slowTime.
	quick recent[struct{}]
}

const (
	// PoolSize is how many workers a keeper has.
	PoolSize  = 256
	mostOfOne = PoolSize / 4 // how many workers may be at work for one homeserver
	// A homeserver counts as slow unless its last answer was quick. mostOfSlow is how
	// many workers may be at work for all slow homeservers together. Each slow
	// homeserver may have at most an equal share of these workers.
	mostOfSlow = PoolSize / 2
	// An answer that takes slowTime or longer counts as slow. If a worker asks the SFU
	// before it sends a leave, the time of that question counts, too.
	slowTime = 2 * time.Second
)

// Take reports whether server may have one more worker now. If so, that worker counts
// as at work for server until release is called.
func (w *Workers) Take(server matrix.ServerName, u Urgency, now time.Time) (release func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mayHave(server, u, now) {
		return nil, false
	}
	w.begin(server, now)
	return func() { w.release(server, now) }, true
}

// begin records that a worker of server begins its work now. The caller holds w.mu.
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
		most /= 2 // the other half of the workers is for leaves and urgent restarts
	}
	return mine < max(most, 1) && all+mine < mostOfSlow
}

// isQuick reports whether the last answer of server took less than slowTime. It also
// reports false if a worker is now waiting for an answer of server, and has waited for
// slowTime or longer. The caller holds w.mu.
func (w *Workers) isQuick(server matrix.ServerName, now time.Time) bool {
	there := w.busy[server]
	_, quick := w.quick.get(server)
	return quick && (len(there) == 0 || now.Sub(there[0]) < slowTime)
}

// Took records how long an answer of server took. If there was no answer, took is how
// long a worker waited for it.
func (w *Workers) Took(server matrix.ServerName, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if took >= slowTime {
		w.quick.forget(server)
		return
	}
	w.quick.set(server, struct{}{})
}

// Wait returns how long a job must wait if its homeserver already has all the workers
// that it may have. For a quick homeserver, this is a random time of up to a second, so
// that the jobs do not all come back at the same time.
func (w *Workers) Wait(server matrix.ServerName, delay time.Duration, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isQuick(server, now) {
		return leave.Attempt(delay)
	}
	return min(rand.N(time.Second), leave.Attempt(delay))
}
