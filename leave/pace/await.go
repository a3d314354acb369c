package pace

import (
	"slices"
	"time"

	"matrixrtc-auth/matrix"
)

// waiter is a job that waits for a worker of a homeserver.
type waiter struct {
	urgency Urgency
	now     func() time.Time
	turn    chan struct{} // closed when the job gets a worker
	since   time.Time     // when the job got the worker
}

// Await is like Take, but the job can wait for up to waitTime. It waits if all workers
// that its homeserver may have are busy, unless the homeserver is slow
// ([Workers.isQuick]). The most urgent job gets the next free worker. Of equally urgent
// jobs, the one that came first gets it. Without this order, some jobs would find no
// worker again and again.
func (w *Workers) Await(server matrix.ServerName, u Urgency, waitTime time.Duration, now func() time.Time) (release func(), ok bool) {
	began := now()
	if release, ok = w.takeFirst(server, u, began); ok {
		return release, true
	}
	waits := w.enqueue(server, u, now, began)
	if waits == nil {
		return nil, false
	}
	timer := time.NewTimer(waitTime)
	defer timer.Stop()
	select {
	case <-waits.turn:
	case <-timer.C:
		if w.giveUp(server, waits) {
			return nil, false
		}
	}
	return func() { w.release(server, waits.since) }, true
}

// takeFirst is like Take, but it takes no worker if a job is waiting that is at least
// as urgent.
func (w *Workers) takeFirst(server matrix.ServerName, u Urgency, now time.Time) (release func(), ok bool) {
	w.mu.Lock()
	waiting := w.waiting[server]
	isNext := len(waiting) == 0 || waiting[0].urgency < u
	w.mu.Unlock()
	if !isNext {
		return nil, false
	}
	return w.Take(server, u, now)
}

// enqueue adds a job to the jobs that wait for a worker of server. But if server is
// slow ([Workers.isQuick]), no job may wait for its workers, and enqueue returns nil.
func (w *Workers) enqueue(server matrix.ServerName, u Urgency, now func() time.Time, began time.Time) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.isQuick(server, began) {
		return nil
	}
	if w.waiting == nil {
		w.waiting = map[matrix.ServerName][]*waiter{}
	}
	waits := &waiter{urgency: u, now: now, turn: make(chan struct{})}
	all := w.waiting[server]
	i := slices.IndexFunc(all, func(other *waiter) bool { return other.urgency < u })
	if i < 0 {
		i = len(all)
	}
	w.waiting[server] = slices.Insert(all, i, waits)
	w.next(server) // since takeFirst, a worker may have become free
	return waits
}

// giveUp removes the given waiter from the waiting jobs. It reports false if the waiter
// has already got a worker.
func (w *Workers) giveUp(server matrix.ServerName, waits *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.waiting[server], waits)
	if i < 0 {
		return false
	}
	w.setWaiting(server, slices.Delete(w.waiting[server], i, i+1))
	return true
}

// next gives a worker to the first job that waits at server, if server may have one
// more worker. The caller holds w.mu.
func (w *Workers) next(server matrix.ServerName) {
	waiting := w.waiting[server]
	if len(waiting) == 0 {
		return
	}
	first := waiting[0]
	now := first.now()
	if !w.mayHave(server, first.urgency, now) {
		return
	}
	first.since = now
	w.begin(server, now)
	w.setWaiting(server, slices.Delete(waiting, 0, 1))
	close(first.turn)
}

func (w *Workers) setWaiting(server matrix.ServerName, waiting []*waiter) {
	if len(waiting) == 0 {
		delete(w.waiting, server)
		return
	}
	w.waiting[server] = waiting
}
