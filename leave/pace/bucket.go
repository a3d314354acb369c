package pace

import (
	"math"
	"time"

	"matrixrtc-auth/internal/timing"
)

// bucket holds the tokens for one homeserver. A token is the right to make one request.
type bucket struct {
	rate      float64
	tokens    float64
	at        time.Time
	raisedAt  time.Time
	loweredAt time.Time
	limited   int       // how often the homeserver has answered 429
	limitedAt time.Time // when the homeserver last answered 429
	toldAt    time.Time // when Budget.Limited was last called
	shut      time.Time // the end of the homeserver's last Retry-After, before which it wants no request
	// A job that must wait gets a time at which it comes back. queue has the latest of
	// these times for each urgency. The next job gets a later time, so that the jobs do
	// not all come back at the same time.
	queue [urgencies]time.Time
}

const (
	// slowest is a rate in requests per second. Answers with the status 429 do not lower
	// the rate below slowest. burst is how many requests may be made at the same time,
	// even at the lowest rate. Both are Synapse's default values.
	slowest     = 1
	burst       = 5
	lowerTime   = time.Second      // if several answers 429 come within this time, they lower the rate only once
	recoverTime = 10 * time.Second // how long a lowered rate stays the same; then it becomes 1.5 times as high
	tellAgain   = time.Hour        // the shortest time between two calls of Budget.Limited
	// A job that must wait gets a time at which it comes back (see queue). comeTime is
	// how much later than that time it may come. longestWait is the longest time until
	// it comes back and asks again, because the queue may have changed by then. Only a
	// Retry-After of the homeserver makes a job wait longer.
	comeTime    = 200 * time.Millisecond
	longestWait = time.Minute
)

// fill adds the tokens for the time since its last call, and returns the bucket. The
// argument full is the highest rate. If the present rate is lower, fill can also raise
// it.
func (bk *bucket) fill(full float64, now time.Time) *bucket {
	if bk.rate < full && now.Sub(bk.raisedAt) >= recoverTime {
		bk.rate = math.Min(full, bk.rate*1.5)
		bk.raisedAt = now
	}
	bk.tokens = math.Min(bk.depth(), bk.tokens+bk.rate*now.Sub(bk.at).Seconds())
	bk.at = now
	return bk
}

// need returns how many tokens the bucket must have before a request of urgency u may
// take one. The other tokens stay for more urgent requests. While jobs that are more
// urgent wait, the bucket must have even more tokens.
func (bk *bucket) need(u Urgency, now time.Time) float64 {
	need := 1 + u.reserve()*(bk.depth()-1)
	if now.Before(bk.end(u + 1).Add(comeTime)) {
		need += 1 + bk.rate*comeTime.Seconds()
	}
	return math.Min(need, bk.depth())
}

// depth returns how many tokens the bucket holds at most. That many requests may be
// made at the same time.
func (bk *bucket) depth() float64 { return math.Max(bk.rate, burst) }

// enqueue returns how long a job of urgency u must wait before it asks for a token
// again. It must ask after all waiting jobs that are at least as urgent, and not before
// the time first. It waits for longestWait at most, unless first is later.
func (bk *bucket) enqueue(u Urgency, first, now time.Time) time.Duration {
	at := timing.Later(first, bk.end(u).Add(bk.lasts(1)))
	at = timing.Earlier(at, timing.Later(first, now.Add(longestWait)))
	bk.queue[u] = at
	return at.Sub(now)
}

// end returns the time at which the last of the waiting jobs is to ask for a token
// again. It considers only jobs whose urgency is the argument least or higher.
func (bk *bucket) end(least Urgency) (end time.Time) {
	for _, at := range bk.queue[least:] {
		end = timing.Later(end, at)
	}
	return end
}

// lasts returns how long the bucket takes to get the given number of tokens.
func (bk *bucket) lasts(tokens float64) time.Duration {
	return time.Duration(tokens / bk.rate * float64(time.Second))
}
