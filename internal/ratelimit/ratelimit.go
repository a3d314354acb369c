// Package ratelimit counts how often each key asks, in bounded memory.
//
// A [Limiter] is the generic cell rate algorithm. It keeps one point in time
// per key, at which the key has its whole burst again. Time refills the burst,
// so a key that was idle for long enough needs no entry.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Limit allows PerMinute events a minute, and Burst events at once. The zero
// Limit allows everything.
type Limit struct{ PerMinute, Burst int }

// Limiter applies one Limit to each of many keys. It is safe for concurrent
// use. The zero Limiter allows everything. Copies count together.
type Limiter[K comparable] struct{ *counts }

// counts are what a Limiter has counted; none for one that allows everything.
type counts struct {
	interval time.Duration // the time between two events of a steady stream
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

// Take spends one event of key and returns 0. If there is none to spend, it
// returns how long it takes until there is.
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

// Charge spends one event of key even if there is none left. The debt does not
// grow: a key that was charged too often waits for one interval only.
func (l Limiter[K]) Charge(key K) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		return min(spent+l.interval, now+l.burst)
	})
}

// Wait returns how long it takes until Take would succeed, 0 if it would now.
func (l Limiter[K]) Wait(key K) (wait time.Duration) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		wait = l.waitFor(spent, now)
		return spent
	})
	return wait
}

// with replaces the stored time of key by what change returns. change gets that
// time, which is now at the earliest. Times are durations since epoch.
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
		*place = entry{} // the burst is whole, so no entry is needed
	}
}

func (l Limiter[K]) waitFor(spent, now time.Duration) time.Duration {
	return max(0, spent+l.interval-l.burst-now)
}
