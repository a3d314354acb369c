// Package ratelimit counts how often each key asks, in bounded memory.
//
// A [Limiter] uses the generic cell rate algorithm. For each key it stores one
// point in time: when the key will have its whole burst again. As time passes,
// the key gets its burst back. So a key that was idle for long enough needs no
// entry.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Limit allows PerMinute events a minute, and Burst events at once. The zero
// Limit allows everything.
type Limit struct{ PerMinute, Burst int }

// Limiter applies one Limit to each of many keys. Several goroutines may use it
// at once. The zero Limiter allows everything. Copies of a Limiter share what
// they have counted.
type Limiter[K comparable] struct{ *counts }

// counts is what a Limiter has counted. A Limiter that allows everything has nil
// instead.
type counts struct {
	interval time.Duration // the time between two events at the rate PerMinute
	burst    time.Duration // how far the stored time may be ahead of the clock
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

// Take spends one event of key and returns 0. If key has no event to spend, it
// returns the time until key has one.
func (l Limiter[K]) Take(key K) (wait time.Duration) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		if wait = l.waitFor(spent, now); wait > 0 {
			return spent
		}
		return spent + l.interval
	})
	return wait
}

// Return gives back an event that Take has spent.
func (l Limiter[K]) Return(key K) {
	l.with(key, func(spent, _ time.Duration) time.Duration { return spent - l.interval })
}

// Charge spends one event of key even if key has none left. The debt does not
// grow: a key that was charged too often waits only for one interval.
func (l Limiter[K]) Charge(key K) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		return min(spent+l.interval, now+l.burst)
	})
}

// Wait returns the time until Take would succeed for key, or 0 if it would
// succeed now.
func (l Limiter[K]) Wait(key K) (wait time.Duration) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		wait = l.waitFor(spent, now)
		return spent
	})
	return wait
}

// with replaces the stored time of key by the result of change. change gets the
// stored time or now, whichever is later. Times are durations since epoch.
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
		*place = entry{} // the key has its whole burst, so it needs no entry
	}
}

func (l Limiter[K]) waitFor(spent, now time.Duration) time.Duration {
	return max(0, spent+l.interval-l.burst-now)
}
