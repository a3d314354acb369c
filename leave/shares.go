package leave

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/matrix"
)

// shares divides the workers among the homeservers: those that answer late, or
// not at all, must not keep the others from being asked. The zero value is
// ready.
type shares struct {
	mu sync.Mutex
	// busy has when each worker that is at a homeserver came to it.
	busy map[matrix.ServerName][]time.Time
	// quick are those whose last answer came soon.
	quick map[matrix.ServerName]bool
}

const (
	mostOfOne = workers / 4 // at one homeserver
	// mostOfSlow is how many are at all together that are not known to be
	// quick. Each of these may have its even part.
	mostOfSlow = workers / 2
	slowTime   = 2 * time.Second // for the SFU's answer, too, where it is asked before
	maxQuick   = 4096            // one more makes room by forgetting all
)

// take reports whether a worker may go to server, and keeps it there until
// release is called.
func (s *shares) take(server matrix.ServerName, u urgency, now time.Time) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.room(server, u, now) {
		return nil, false
	}
	if s.busy == nil {
		s.busy = map[matrix.ServerName][]time.Time{}
	}
	s.busy[server] = append(s.busy[server], now)
	return func() { s.release(server, now) }, true
}

func (s *shares) release(server matrix.ServerName, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := s.busy[server]
	if len(there) == 1 {
		delete(s.busy, server)
		return
	}
	i := slices.Index(there, since)
	s.busy[server] = slices.Delete(there, i, i+1)
}

// room reports whether server may have one worker more. The lock is held.
func (s *shares) room(server matrix.ServerName, u urgency, now time.Time) bool {
	mine := len(s.busy[server])
	if s.isQuick(server, now) {
		return mine < mostOfOne
	}
	servers, all := 0, 0
	for other, there := range s.busy {
		if other != server && !s.isQuick(other, now) {
			servers, all = servers+1, all+len(there)
		}
	}
	most := min(mostOfSlow/(servers+1), mostOfOne)
	if u < sending {
		most /= 2 // a restart with time to spare leaves some to what has none
	}
	return mine < max(most, 1) && all+mine < mostOfSlow
}

// isQuick reports whether server is known to answer, and no worker waits for
// long already. The lock is held.
func (s *shares) isQuick(server matrix.ServerName, now time.Time) bool {
	there := s.busy[server]
	return s.quick[server] && (len(there) == 0 || now.Sub(there[0]) < slowTime)
}

// answered is told how long server took for an answer, or to give none.
func (s *shares) answered(server matrix.ServerName, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if took >= slowTime {
		delete(s.quick, server)
		return
	}
	if s.quick == nil || len(s.quick) >= maxQuick {
		s.quick = map[matrix.ServerName]bool{}
	}
	s.quick[server] = true
}

// visit does what the job's homeserver is asked for, unless as many workers as
// it may have are there already: then the job is postponed.
func (k *Keeper) visit(ctx context.Context, t task, u urgency, do func(context.Context, task), postponed func(Job, time.Time, time.Duration) Job) {
	server, now := t.User.Server(), k.now()
	release, ok := k.shares.take(server, u, now)
	if !ok {
		wait := k.shares.crowded(server, t.Delay, now)
		k.write(ctx, t.Job, func(j Job) Job { return postponed(j, k.now(), wait) })
		return
	}
	defer release()
	do(ctx, t)
}

// crowded is how long a job waits whose homeserver has all the workers that it
// may have: where it is quick, up to a second, and those who wait do not come
// back all at once.
func (s *shares) crowded(server matrix.ServerName, delay time.Duration, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isQuick(server, now) {
		return attempt(delay)
	}
	return min(rand.N(time.Second), attempt(delay))
}
