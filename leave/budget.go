package leave

import (
	"math"
	"sync"
	"time"

	"matrixrtc-auth/matrix"
)

// Budget bounds the management of delayed events per homeserver: Synapse grants
// a caller without a token one request a second, five at once, until its
// operator raises rc_delayed_event_mgmt. A 429 halves the rate; it recovers.
type Budget struct {
	// Rate is the requests a second to one homeserver; 0 means no bound.
	Rate float64
	// Limited, if set, is told once per homeserver and hour of a 429.
	Limited func(matrix.ServerName)

	mu      sync.Mutex
	buckets map[matrix.ServerName]*bucket
}

type bucket struct {
	rate      float64
	tokens    float64
	at        time.Time
	raisedAt  time.Time
	loweredAt time.Time
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
	maxBuckets  = 4096
	// comeTime is how long who was told to come back may take to come, and
	// longestWait how far ahead anybody is told to: then the line is another.
	comeTime    = 200 * time.Millisecond
	longestWait = time.Minute
)

// take spends one request if there is one for that urgency, else it says when
// to come back: one after the other, the most urgent first. The last try before
// a leave fires is let through whatever the homeserver has said.
func (b *Budget) take(server matrix.ServerName, u urgency, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Rate == 0 {
		return b.shut(server, u, now)
	}
	bk := b.bucket(server, now)
	need := bk.need(u, now)
	switch {
	case u == last:
	case now.Before(bk.shut):
		return bk.enqueue(u, bk.shut, now)
	case bk.tokens < need:
		return bk.enqueue(u, now.Add(bk.lasts(need-bk.tokens)), now)
	}
	bk.tokens = math.Max(bk.tokens-1, -bk.depth())
	return 0
}

// shut is all there is to wait for without a rate. The lock is held.
func (b *Budget) shut(server matrix.ServerName, u urgency, now time.Time) time.Duration {
	if bk := b.buckets[server]; bk != nil && u != last {
		return max(0, bk.shut.Sub(now))
	}
	return 0
}

// need is how many tokens there must be for u to take one: some are left to
// what may come, and while somebody more urgent waits, all that they can take
// when they come.
func (bk *bucket) need(u urgency, now time.Time) float64 {
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
func (bk *bucket) enqueue(u urgency, first, now time.Time) time.Duration {
	at := later(first, bk.end(u).Add(bk.lasts(1)))
	at = earlier(at, later(first, now.Add(longestWait)))
	bk.queue[u] = at
	return at.Sub(now)
}

// end is when the last who is at least that urgent was told to come back.
func (bk *bucket) end(least urgency) (end time.Time) {
	for _, at := range bk.queue[least:] {
		end = later(end, at)
	}
	return end
}

// lasts is how long so many tokens take to come.
func (bk *bucket) lasts(tokens float64) time.Duration {
	return time.Duration(tokens / bk.rate * float64(time.Second))
}

// bucket returns the server's, filled up to now. The lock is held.
func (b *Budget) bucket(server matrix.ServerName, now time.Time) *bucket {
	bk := b.buckets[server]
	if bk == nil {
		if b.buckets == nil || len(b.buckets) >= maxBuckets {
			b.buckets = make(map[matrix.ServerName]*bucket)
		}
		bk = &bucket{rate: b.Rate, at: now, raisedAt: now}
		bk.tokens = bk.depth()
		b.buckets[server] = bk
	}
	if bk.rate < b.Rate && now.Sub(bk.raisedAt) >= recoverTime {
		bk.rate = math.Min(b.Rate, bk.rate*1.5)
		bk.raisedAt = now
	}
	bk.tokens = math.Min(bk.depth(), bk.tokens+bk.rate*now.Sub(bk.at).Seconds())
	bk.at = now
	return bk
}

// forRestarts is the part of the rate that restarts may need; the rest is for
// leaves.
const forRestarts = 0.8

// Carries reports whether so many restarts a second can be asked of server, as
// far as it lets us now.
func (b *Budget) Carries(server matrix.ServerName, load float64, now time.Time) bool {
	if b.Rate == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return load <= forRestarts*b.bucket(server, now).rate
}

// userPart is the part of what the others leave that one user's jobs may need:
// as much at least as one job with a common delay.
const (
	userPart    = 1. / 3
	commonDelay = 18 * time.Second
)

// shares reports whether restarts of one user may become so many a second, when
// those of the others at server are so many.
func (b *Budget) shares(server matrix.ServerName, user, others float64, now time.Time) bool {
	if b.Rate == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	left := forRestarts*b.bucket(server, now).rate - others
	return user <= math.Max(left*userPart, Load(commonDelay))
}

// BudgetStatus is how the [Budget] of a process stands.
type BudgetStatus struct {
	// Rate is that of the homeserver with the lowest, Tokens the requests that
	// may be made at once at the one with the fewest, not below zero. Both are
	// zero while there is no bound.
	Rate, Tokens float64
	// Lowered is how many homeservers have a lower rate than was set, because
	// they answered 429.
	Lowered int
}

// Status returns how the budget stands now.
func (b *Budget) Status(now time.Time) BudgetStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Rate == 0 {
		return BudgetStatus{}
	}
	s := BudgetStatus{Rate: b.Rate, Tokens: (&bucket{rate: b.Rate}).depth()}
	for server := range b.buckets {
		bk := b.bucket(server, now)
		s.Rate, s.Tokens = math.Min(s.Rate, bk.rate), math.Min(s.Tokens, math.Max(0, bk.tokens))
		if bk.rate < b.Rate {
			s.Lowered++
		}
	}
	return s
}

// limited is told of a 429: the homeserver's own bucket is empty.
func (b *Budget) limited(server matrix.ServerName, retryAfter time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bk := b.bucket(server, now)
	if now.Sub(bk.loweredAt) >= lowerTime {
		bk.loweredAt = now
		bk.rate = math.Max(math.Min(slowest, b.Rate), bk.rate/2)
		bk.tokens = math.Min(bk.tokens, 1)
	}
	bk.raisedAt = now
	bk.shut = now.Add(retryAfter)
	if b.Limited != nil && (bk.toldAt.IsZero() || now.Sub(bk.toldAt) >= tellAgain) {
		bk.toldAt = now
		go b.Limited(server)
	}
}
