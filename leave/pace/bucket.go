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
	limited   int       // how often the homeserver answered 429 …
	limitedAt time.Time // … and when it last did
	toldAt    time.Time
	shut      time.Time // no request before this time, by the homeserver's Retry-After
	// queue is when the last waiting job of each urgency was told to come back.
	// The next one is told a later time, so that they do not come all at once.
	queue [urgencies]time.Time
}

const (
	// slowest is the lowest rate after 429s. burst is how many requests may come
	// at once, however low the rate is: what Synapse allows by default.
	slowest     = 1
	burst       = 5
	lowerTime   = time.Second      // several 429s within this time lower the rate only once
	recoverTime = 10 * time.Second // until the rate rises by half
	tellAgain   = time.Hour
	// comeTime is how late a job may come back after the time it was told.
	// longestWait is how far ahead that time may be, because the queue changes.
	comeTime    = 200 * time.Millisecond
	longestWait = time.Minute
)

// fill adds the tokens of the time until now. The rate recovers toward full.
func (bk *bucket) fill(full float64, now time.Time) *bucket {
	if bk.rate < full && now.Sub(bk.raisedAt) >= recoverTime {
		bk.rate = math.Min(full, bk.rate*1.5)
		bk.raisedAt = now
	}
	bk.tokens = math.Min(bk.depth(), bk.tokens+bk.rate*now.Sub(bk.at).Seconds())
	bk.at = now
	return bk
}

// need returns how many tokens the bucket must hold before a request of urgency
// u may take one. The others are reserved for requests that may still come, and
// for more urgent jobs that wait.
func (bk *bucket) need(u Urgency, now time.Time) float64 {
	need := 1 + u.reserve()*(bk.depth()-1)
	if now.Before(bk.end(u + 1).Add(comeTime)) {
		need += 1 + bk.rate*comeTime.Seconds()
	}
	return math.Min(need, bk.depth())
}

// depth returns how many requests may be made at once.
func (bk *bucket) depth() float64 { return math.Max(bk.rate, burst) }

// enqueue returns how long a job of urgency u must wait: at least until first,
// and until all waiting jobs that are at least as urgent have had their turn.
func (bk *bucket) enqueue(u Urgency, first, now time.Time) time.Duration {
	at := timing.Later(first, bk.end(u).Add(bk.lasts(1)))
	at = timing.Earlier(at, timing.Later(first, now.Add(longestWait)))
	bk.queue[u] = at
	return at.Sub(now)
}

// end returns when the last waiting job of at least that urgency was told to
// come back.
func (bk *bucket) end(least Urgency) (end time.Time) {
	for _, at := range bk.queue[least:] {
		end = timing.Later(end, at)
	}
	return end
}

// lasts returns how long that many tokens take to come.
func (bk *bucket) lasts(tokens float64) time.Duration {
	return time.Duration(tokens / bk.rate * float64(time.Second))
}
