package leave

import (
	"math"
	"sync"
	"time"

	"matrixrtc-auth/matrix"
)

// urgency orders what asks a homeserver at the same time.
type urgency int

const (
	ordinary urgency = iota // a restart with time to spare
	sending                 // a leave, or the cancelling of one
	urgent                  // a restart in the last quarter of its time
	critical                // the same, with little time left
	last                    // there is no time for another try
	urgencies
)

// reserve is the part of a bucket that less urgent requests leave to the more
// urgent ones.
var reserve = [urgencies]float64{ordinary: 0.5, sending: 0.3, urgent: 0.1}

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
	// slowest is what no 429 goes below: what Synapse grants before its
	// operator raises it.
	slowest     = 1
	lowerTime   = time.Second      // answers within it lower the rate once
	recoverTime = 10 * time.Second // until it rises by half
	tellAgain   = time.Hour
	maxBuckets  = 4096
)

// take spends one request if there is one for that urgency, else it says when
// to come back: one after the other. The last try before a leave fires is let
// through whatever the homeserver has said.
func (b *Budget) take(server matrix.ServerName, u urgency, now time.Time) (wait time.Duration) {
	if b.Rate == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bk := b.bucket(server, now)
	need := 1 + reserve[u]*math.Max(bk.rate-1, 0)
	switch {
	case u == last:
	case now.Before(bk.shut):
		return bk.enqueue(u, bk.shut).Sub(now)
	case bk.tokens < need:
		return bk.enqueue(u, now.Add(bk.lasts(need-bk.tokens))).Sub(now)
	}
	bk.tokens--
	return 0
}

// enqueue returns when to come back: at first at the earliest.
func (bk *bucket) enqueue(u urgency, first time.Time) time.Time {
	if next := bk.queue[u].Add(bk.lasts(1)); next.After(first) {
		first = next
	}
	bk.queue[u] = first
	return first
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
		bk = &bucket{rate: b.Rate, tokens: b.Rate, at: now, raisedAt: now}
		b.buckets[server] = bk
	}
	if bk.rate < b.Rate && now.Sub(bk.raisedAt) >= recoverTime {
		bk.rate = math.Min(b.Rate, bk.rate*1.5)
		bk.raisedAt = now
	}
	bk.tokens = math.Min(math.Max(bk.rate, 1), bk.tokens+bk.rate*now.Sub(bk.at).Seconds())
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

// limited is told of a 429.
func (b *Budget) limited(server matrix.ServerName, retryAfter time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	base := b.Rate
	if base == 0 {
		return
	}
	bk := b.bucket(server, now)
	if now.Sub(bk.loweredAt) >= lowerTime {
		bk.loweredAt = now
		bk.rate = math.Max(math.Min(slowest, base), bk.rate/2)
		bk.tokens = math.Min(bk.tokens, bk.rate)
	}
	bk.raisedAt = now
	bk.shut = now.Add(retryAfter)
	if b.Limited != nil && (bk.toldAt.IsZero() || now.Sub(bk.toldAt) >= tellAgain) {
		bk.toldAt = now
		go b.Limited(server)
	}
}
