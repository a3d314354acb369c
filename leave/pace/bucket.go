package pace

import (
	"math"
	"time"
)

// bucket is what may be asked of one homeserver.
type bucket struct {
	rate      float64
	tokens    float64
	at        time.Time
	raisedAt  time.Time
	loweredAt time.Time
	limited   int       // how often it has answered 429 …
	limitedAt time.Time // … and when last
	toldAt    time.Time
	shut      time.Time // nothing before, by the homeserver's Retry-After
	// queue is when the last of those who wait for each kind was told to come
	// back: the next comes after it, so that they do not all come at once.
	queue [urgencies]time.Time
}

const (
	// slowest is what no 429 goes below, and burst what may come at once
	// however low the rate is: what Synapse grants before its operator raises
	// it.
	slowest     = 1
	burst       = 5
	lowerTime   = time.Second      // answers within it lower the rate once
	recoverTime = 10 * time.Second // until it rises by half
	tellAgain   = time.Hour
	// comeTime is how long who was told to come back may take to come, and
	// longestWait how far ahead anybody is told to: then the queue is another.
	comeTime    = 200 * time.Millisecond
	longestWait = time.Minute
)

// fill has bk hold what has come until now, at a rate that recovers to full.
func (bk *bucket) fill(full float64, now time.Time) *bucket {
	if bk.rate < full && now.Sub(bk.raisedAt) >= recoverTime {
		bk.rate = math.Min(full, bk.rate*1.5)
		bk.raisedAt = now
	}
	bk.tokens = math.Min(bk.depth(), bk.tokens+bk.rate*now.Sub(bk.at).Seconds())
	bk.at = now
	return bk
}

// need is how many tokens there must be for u to take one: some are left to
// what may come, and while somebody more urgent waits, all that they can take
// when they come.
func (bk *bucket) need(u Urgency, now time.Time) float64 {
	need := 1 + u.reserve()*(bk.depth()-1)
	if now.Before(bk.end(u + 1).Add(comeTime)) {
		need += 1 + bk.rate*comeTime.Seconds()
	}
	return math.Min(need, bk.depth())
}

// depth is how many requests may be made at once.
func (bk *bucket) depth() float64 { return math.Max(bk.rate, burst) }

// enqueue returns how long until u is to come back: not before first, and after
// all who wait and are as urgent.
func (bk *bucket) enqueue(u Urgency, first, now time.Time) time.Duration {
	at := later(first, bk.end(u).Add(bk.lasts(1)))
	at = earlier(at, later(first, now.Add(longestWait)))
	bk.queue[u] = at
	return at.Sub(now)
}

// end is when the last who is at least that urgent was told to come back.
func (bk *bucket) end(least Urgency) (end time.Time) {
	for _, at := range bk.queue[least:] {
		end = later(end, at)
	}
	return end
}

// lasts is how long so many tokens take to come.
func (bk *bucket) lasts(tokens float64) time.Duration {
	return time.Duration(tokens / bk.rate * float64(time.Second))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
