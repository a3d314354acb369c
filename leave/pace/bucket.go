package pace

import (
	"math"
	"time"

	"matrixrtc-auth/internal/timing"
)

// bucket holds the tokens for requests to one homeserver. A request takes one
// token.
type bucket struct {
	rate      float64
	tokens    float64
	at        time.Time
	raisedAt  time.Time
	loweredAt time.Time
	limited   int       // how often the homeserver answered 429
	limitedAt time.Time // when the homeserver last answered 429
	toldAt    time.Time // when Budget.Limited was last called
	shut      time.Time // the homeserver wants no request before this time (Retry-After)
	// queue has for each urgency the latest time at which a waiting job of that
	// urgency was told to come back. The next job is told a later time, so that
	// the jobs do not all come back at once.
	queue [urgencies]time.Time
}

const (
	// slowest is the rate, in requests a second, below which no 429 lowers the
	// rate. burst is how many requests may come at once, however low the rate is.
	// Both are what Synapse allows by default.
	slowest     = 1
	burst       = 5
	lowerTime   = time.Second      // several 429s within this time lower the rate only once
	recoverTime = 10 * time.Second // a lowered rate rises by half after this time
	tellAgain   = time.Hour        // the least time between two calls of Budget.Limited
	// A job may come back up to comeTime later than it was told. No job is told a
	// wait longer than longestWait, because the queue changes meanwhile.
	comeTime    = 200 * time.Millisecond
	longestWait = time.Minute
)

// fill adds the tokens for the time since the last call. A lowered rate recovers
// toward full. fill returns the bucket.
func (bk *bucket) fill(full float64, now time.Time) *bucket {
	if bk.rate < full && now.Sub(bk.raisedAt) >= recoverTime {
		bk.rate = math.Min(full, bk.rate*1.5)
		bk.raisedAt = now
	}
	bk.tokens = math.Min(bk.depth(), bk.tokens+bk.rate*now.Sub(bk.at).Seconds())
	bk.at = now
	return bk
}

// need returns how many tokens the bucket must hold before a request of urgency u
// may take one. The other tokens are reserved for more urgent requests that may
// still come, and for more urgent jobs that wait.
func (bk *bucket) need(u Urgency, now time.Time) float64 {
	need := 1 + u.reserve()*(bk.depth()-1)
	if now.Before(bk.end(u + 1).Add(comeTime)) {
		need += 1 + bk.rate*comeTime.Seconds()
	}
	return math.Min(need, bk.depth())
}

// depth returns how many requests may be made at the same time.
func (bk *bucket) depth() float64 { return math.Max(bk.rate, burst) }

// enqueue returns how long a job of urgency u must wait: at least until first,
// and until all waiting jobs that are at least as urgent have had their turn.
func (bk *bucket) enqueue(u Urgency, first, now time.Time) time.Duration {
	at := timing.Later(first, bk.end(u).Add(bk.lasts(1)))
	at = timing.Earlier(at, timing.Later(first, now.Add(longestWait)))
	bk.queue[u] = at
	return at.Sub(now)
}

// end returns the latest time at which a waiting job of at least the urgency
// least was told to come back.
func (bk *bucket) end(least Urgency) (end time.Time) {
	for _, at := range bk.queue[least:] {
		end = timing.Later(end, at)
	}
	return end
}

// lasts returns how long it takes until that many new tokens have come.
func (bk *bucket) lasts(tokens float64) time.Duration {
	return time.Duration(tokens / bk.rate * float64(time.Second))
}
