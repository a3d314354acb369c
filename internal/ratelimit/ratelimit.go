// Package ratelimit counts how often somebody asks, in bounded memory.
//
// A [Limiter] is the generic cell rate algorithm: one point in time per key,
// until which the key's burst is spent. It refills by itself as time passes,
// so a key that is idle long enough is as good as unknown.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Limit allows PerMinute events a minute, Burst of them at once. The zero
// Limit allows everything.
type Limit struct{ PerMinute, Burst int }

// Limiter applies one Limit to each of many keys. It is safe for concurrent
// use. A nil Limiter allows everything.
type Limiter[K comparable] struct {
	interval time.Duration // between two events of a steady stream
	burst    time.Duration // how far ahead of the clock a key may run
	epoch    time.Time
	seed     maphash.Seed

	mu    sync.Mutex
	spent *table
}

// New returns a Limiter for limit, nil for the zero Limit.
func New[K comparable](limit Limit) *Limiter[K] {
	if limit.PerMinute <= 0 {
		return nil
	}
	interval := time.Minute / time.Duration(limit.PerMinute)
	return &Limiter[K]{
		interval: interval,
		burst:    interval * time.Duration(max(limit.Burst, 1)),
		epoch:    time.Now(),
		seed:     maphash.MakeSeed(),
		spent:    new(table),
	}
}

// Take spends one event of key and returns 0, or spends nothing and returns
// how long it takes until there is one.
func (l *Limiter[K]) Take(key K) (wait time.Duration) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		if wait = l.waitFor(spent, now); wait > 0 {
			return spent
		}
		return spent + l.interval
	})
	return wait
}

// Return gives back an event that Take has spent.
func (l *Limiter[K]) Return(key K) {
	l.with(key, func(spent, _ time.Duration) time.Duration { return spent - l.interval })
}

// Charge spends one event of key whether it has one or not. The debt does not
// grow: a key that was charged too often waits one interval, not more.
func (l *Limiter[K]) Charge(key K) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		return min(spent+l.interval, now+l.burst)
	})
}

// Wait returns how long it takes until Take would succeed, 0 if it would now.
func (l *Limiter[K]) Wait(key K) (wait time.Duration) {
	l.with(key, func(spent, now time.Duration) time.Duration {
		wait = l.waitFor(spent, now)
		return spent
	})
	return wait
}

// with replaces the time until which key's burst is spent, which is now at the
// least, by what change makes of it. Times are durations since epoch.
func (l *Limiter[K]) with(key K, change func(spent, now time.Duration) time.Duration) {
	if l == nil {
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
		*place = entry{} // nothing to remember
	}
}

func (l *Limiter[K]) waitFor(spent, now time.Duration) time.Duration {
	return max(0, spent+l.interval-l.burst-now)
}
