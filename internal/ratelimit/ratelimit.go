// Package ratelimit counts how often each key asks, in bounded memory.
//
// A [Limiter] uses the generic cell rate algorithm. For each key it stores one
// point in time: when the key will be allowed a whole burst again. A key that is
// allowed a whole burst now needs no entry.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Limit allows PerMinute events per minute. After a pause, it allows up to Burst
// events at the same moment. The zero Limit allows everything.
type Limit struct{ PerMinute, Burst int }

// Limiter applies one Limit to each of many keys. Several goroutines may use it at
// the same time. The zero Limiter allows everything. Copies of a Limiter share what
// they have counted.
type Limiter[K comparable] struct{ *counts }

// counts holds the Limit of a Limiter, and what the Limiter has counted. In a Limiter
// that allows everything, the pointer to counts is nil.
type counts struct {
	interval time.Duration // the time between two events at the rate PerMinute
	burst    time.Duration // Burst times interval; the time that is stored for a key is at most now plus burst
	epoch    time.Time
	seed     maphash.Seed

	mu    sync.Mutex
	spent *table
}

// New returns a Limiter for limit.
func New[K comparable](limit Limit) Limiter[K] {
	if limit.PerMinute <= 0 {
		return Limiter[K]{}
	}
	interval := time.Minute / time.Duration(limit.PerMinute)
	return Limiter[K]{&counts{
		interval: interval,
		burst:    interval * time.Duration(max(limit.Burst, 1)),
		epoch:    time.Now(),
		seed:     maphash.MakeSeed(),
		spent:    new(table),
	}}
}

// Limits reports whether l limits anything.
func (l Limiter[K]) Limits() bool { return l.counts != nil }

// Take counts one event of key and returns 0. If the limit does not allow an event
// now, Take counts nothing and returns the time until an event is allowed.
func (l Limiter[K]) Take(key K) (wait time.Duration) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		if wait = l.waitFor(spent, now); wait > 0 {
			return spent
		}
		return spent + l.interval
	})
	return wait
}

// Return undoes one Take of key.
func (l Limiter[K]) Return(key K) {
	l.with(key, func(spent, _ time.Duration) time.Duration { return spent - l.interval })
}

// Charge counts one event of key even if the limit does not allow it. After any number
// of these calls, Take allows an event of key after one interval at most.
func (l Limiter[K]) Charge(key K) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		return min(spent+l.interval, now+l.burst)
	})
}

// Wait returns how long key has to wait until Take returns 0. Wait itself counts no
// event.
func (l Limiter[K]) Wait(key K) (wait time.Duration) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		wait = l.waitFor(spent, now)
		return spent
	})
	return wait
}

// with replaces the time that is stored for key by the result of the function
// change. change gets two arguments. The first one is the stored time or the
// present time, whichever is later. The second one is the present time. Times
// are durations since l.epoch, the time at which l was made.
func (l Limiter[K]) with(key K, change func(spent, now time.Duration) time.Duration) {
	if !l.Limits() {
		return
	}
	hash := maphash.Comparable(l.seed, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.epoch)
	spent, place := l.spent.find(hash)
	if changed := change(max(spent, now), now); changed > now {
		*place = entry{hash, changed}
	} else if spent > 0 {
		*place = entry{} // the key is again allowed a whole burst, so it needs no entry
	}
}

func (l Limiter[K]) waitFor(spent, now time.Duration) time.Duration {
	return max(0, spent+l.interval-l.burst-now)
}
