package pace

import (
	"math"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// Budget limits the rate of requests about delayed events to each homeserver. By
// default, Synapse allows a caller without a token one request per second, and five
// requests at the same time. Synapse's operator can raise these limits
// (rc_delayed_event_mgmt). When a homeserver answers 429, the rate for it is halved.
// Later it rises again.
type Budget struct {
	// Rate is how many requests per second this process may send to one homeserver.
	// Replicas do not share this number: each replica may send as many requests. 0 means
	// that there is no limit.
	Rate float64
	// Unbound, if set, reports whether Rate does not apply to a homeserver. If such a
	// homeserver answers 429, this process sends it requests at a lower rate, which
	// then rises slowly. When this rate has risen to Rate, the limit ends.
	Unbound func(matrix.ServerName) bool
	// Limited, if set, is called when a homeserver answers 429. It is called at most
	// once an hour for each homeserver.
	Limited func(matrix.ServerName)

	mu      sync.Mutex
	buckets recent[*bucket]
}

// Take takes a token for one request of urgency u. If there is no token for this
// urgency, Take returns how long the job must wait. More urgent jobs wait for a shorter
// time. The last attempt before a leave fires never has to wait.
func (b *Budget) Take(server matrix.ServerName, u Urgency, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free(server, now) {
		return b.shut(server, u, now)
	}
	bk := b.bucket(server, now)
	need := bk.need(u, now)
	switch {
	case u == Last:
	case now.Before(bk.shut):
		return bk.enqueue(u, bk.shut, now)
	case bk.tokens < need:
		return bk.enqueue(u, now.Add(bk.lasts(need-bk.tokens)), now)
	}
	bk.tokens = math.Max(bk.tokens-1, -bk.depth())
	return 0
}

// free reports whether there is no limit for requests to server now. The caller holds
// b.mu.
func (b *Budget) free(server matrix.ServerName, now time.Time) bool {
	if b.Rate == 0 {
		return true
	}
	if b.Unbound == nil || !b.Unbound(server) {
		return false
	}
	bk, known := b.buckets.get(server)
	return !known || bk.fill(b.Rate, now).rate >= b.Rate
}

// shut returns how much of the server's last Retry-After is left. For that time, the
// server wants no requests. Take uses shut if no other limit applies to the server (see
// free). For the urgency Last, shut returns 0. The caller holds b.mu.
func (b *Budget) shut(server matrix.ServerName, u Urgency, now time.Time) time.Duration {
	if bk, known := b.buckets.get(server); known && u != Last {
		return max(0, bk.shut.Sub(now))
	}
	return 0
}

// bucket returns the bucket of server, after adding the tokens for the time until now.
// The caller holds b.mu.
func (b *Budget) bucket(server matrix.ServerName, now time.Time) *bucket {
	bk, known := b.buckets.get(server)
	if !known {
		bk = &bucket{rate: b.Rate, at: now, raisedAt: now}
		bk.tokens = bk.depth()
		b.buckets.set(server, bk)
	}
	return bk.fill(b.Rate, now)
}

// forRestarts is the part of the rate that is for restarts. The other part is for
// sending leaves.
const forRestarts = 0.8

// Carries reports whether the present rate of server is enough for load, a number of
// restarts per second.
func (b *Budget) Carries(server matrix.ServerName, load float64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free(server, now) {
		return true
	}
	return load <= forRestarts*b.bucket(server, now).rate
}

// userPart limits how much of a homeserver's rate the jobs of one user may use: a third
// of what the jobs of all other users leave over. CarriesUser always allows one job with
// the delay commonDelay.
const (
	userPart    = 1. / 3
	commonDelay = 18 * time.Second
)

// CarriesUser reports whether one user may have jobs that need this number of restarts
// per second (user) at server. The number may be a third of what the present rate of
// requests to server leaves after the restarts of all other users (others).
func (b *Budget) CarriesUser(server matrix.ServerName, user, others float64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free(server, now) {
		return true
	}
	left := forRestarts*b.bucket(server, now).rate - others
	return user <= math.Max(left*userPart, leave.Load(commonDelay))
}

// Status is the present state of a process's [Budget].
type Status struct {
	// Rate is the lowest rate of all homeservers, in requests per second. Tokens is the
	// number of tokens of the homeserver that has the fewest. That homeserver may get as
	// many requests at the same time as it has tokens. Both are zero if the budget has
	// no limit.
	Rate, Tokens float64
	// Lowered is how many homeservers have a lower rate than Budget.Rate, because they
	// have answered 429.
	Lowered int
}

// Status returns the present state of the budget.
func (b *Budget) Status(now time.Time) Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Rate == 0 {
		return Status{}
	}
	s := Status{Rate: b.Rate, Tokens: (&bucket{rate: b.Rate}).depth()}
	for _, bk := range b.buckets.all() {
		bk.fill(b.Rate, now)
		s.Rate, s.Tokens = math.Min(s.Rate, bk.rate), math.Min(s.Tokens, math.Max(0, bk.tokens))
		if bk.rate < b.Rate {
			s.Lowered++
		}
	}
	return s
}

// Refusals returns how often a homeserver has answered 429, and when it last did so. It
// returns zeros for a homeserver that has not answered 429, or that the Budget has
// forgotten (see recent).
func (b *Budget) Refusals(server matrix.ServerName) (count int, last time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bk, known := b.buckets.get(server); known {
		return bk.limited, bk.limitedAt
	}
	return 0, time.Time{}
}

// SlowDown records that server has answered 429, and that server wants no request
// before retryAfter has passed. It halves the rate for this server, at most once per
// second. The lowest rate that it sets is one request per second, or Rate if Rate is
// lower. After that, the rate rises by half every 10 s until it is Rate again
// (bucket.fill).
func (b *Budget) SlowDown(server matrix.ServerName, retryAfter time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bk := b.bucket(server, now)
	if now.Sub(bk.loweredAt) >= lowerTime {
		bk.loweredAt = now
		bk.rate = math.Max(math.Min(slowest, b.Rate), bk.rate/2)
		bk.tokens = math.Min(bk.tokens, 1)
	}
	bk.limited++
	bk.limitedAt = now
	bk.raisedAt = now
	bk.shut = now.Add(retryAfter)
	if b.Limited != nil && (bk.toldAt.IsZero() || now.Sub(bk.toldAt) >= tellAgain) {
		bk.toldAt = now
		go b.Limited(server)
	}
}
