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
	// Each job that must wait is told when to come back. queue has the latest such
	// time for each urgency. The next job is told a later time, so that the jobs do
	// not all come back at once.
	queue [urgencies]time.Time
}

const (
	// slowest is a rate in requests a second: no answer 429 lowers the rate below
	// it. burst is how many requests may come at once, however low the rate is.
	// Synapse allows this rate and this burst by default.
	slowest     = 1
	burst       = 5
	lowerTime   = time.Second      // several answers 429 within this time lower the rate only once
	recoverTime = 10 * time.Second // a lowered rate rises by half after this time
	tellAgain   = time.Hour        // the least time between two calls of Budget.Limited
	// A job may come back up to comeTime later than it was told. Usually no job is
	// told to wait longer than longestWait, because the queue changes meanwhile.
	// Only a Retry-After can be longer.
	comeTime    = 200 * time.Millisecond
	longestWait = time.Minute
)

// fill adds the tokens for the time since the last call, and returns the bucket. If
// the rate was lowered, fill also lets it rise again, at most to full.
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
// may take one. The bucket keeps the other tokens for more urgent requests.
func (bk *bucket) need(u Urgency, now time.Time) float64 {
	need := 1 + u.reserve()*(bk.depth()-1)
	if now.Before(bk.end(u + 1).Add(comeTime)) {
		need += 1 + bk.rate*comeTime.Seconds()
	}
	return math.Min(need, bk.depth())
}

// depth returns the most tokens that the bucket holds, which is how many requests
// may be made at the same time.
func (bk *bucket) depth() float64 { return math.Max(bk.rate, burst) }

// enqueue returns how long a job of urgency u must wait. It must wait at least
// until first, and until all waiting jobs that are at least as urgent have had
// their turn.
func (bk *bucket) enqueue(u Urgency, first, now time.Time) time.Duration {
	at := timing.Later(first, bk.end(u).Add(bk.lasts(1)))
	at = timing.Earlier(at, timing.Later(first, now.Add(longestWait)))
	bk.queue[u] = at
	return at.Sub(now)
}

// end returns the latest time at which a waiting job was told to come back. It
// counts only jobs that have at least the given urgency.
func (bk *bucket) end(least Urgency) (end time.Time) {
	for _, at := range bk.queue[least:] {
		end = timing.Later(end, at)
	}
	return end
}

// lasts returns how long it takes until the bucket gets this number of tokens.
func (bk *bucket) lasts(tokens float64) time.Duration {
	return time.Duration(tokens / bk.rate * float64(time.Second))
}
