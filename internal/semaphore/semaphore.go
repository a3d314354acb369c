// Package semaphore bounds how much is under way at once, in all and for each
// key: a homeserver, a user, a client's network.
//
// Those who wait hold nothing. A free slot goes to the keys in turn, so a key
// with many waiters delays no other key by more than one slot; within a key it
// goes to whoever has waited longest. There are no goroutines of its own, and a
// key without slots and waiters takes no memory.
package semaphore

import (
	"container/list"
	"context"
	"slices"
	"sync"
)

// Bounds are the numbers of slots. A bound of zero means that there is none.
type Bounds struct {
	Total  int // slots of all keys together
	PerKey int // slots of one key
	// Share keeps half of Total for keys that have few slots: a key that has
	// Share slots gets another one only while half of Total is free.
	Share int
}

// Keyed hands out slots to keys within its bounds. It is safe for concurrent
// use and must not be copied.
type Keyed[K comparable] struct {
	bounds Bounds

	mu    sync.Mutex
	taken int
	keys  map[K]*key[K] // those that have slots or waiters
	turns list.List     // of *key[K]: those that have waiters, the next one first
}

// key is what one key has, and who waits for more.
type key[K comparable] struct {
	id      K
	taken   int
	waiters []*waiter     // whoever has waited longest first
	turn    *list.Element // in Keyed.turns, nil without waiters
}

// waiter is one caller of Acquire.
type waiter struct{ granted chan struct{} }

// New returns a semaphore with all its slots free.
func New[K comparable](b Bounds) *Keyed[K] {
	return &Keyed[K]{bounds: b, keys: make(map[K]*key[K])}
}

// Acquire takes a slot for id. It waits for one until ctx ends, and then returns
// the error of ctx; a slot that is free at once is taken whatever ctx says.
// release gives the slot back and must be called exactly once.
func (s *Keyed[K]) Acquire(ctx context.Context, id K) (release func(), err error) {
	s.mu.Lock()
	k := s.key(id)
	if s.admits(k) {
		defer s.mu.Unlock()
		return s.take(k), nil
	}
	w := &waiter{granted: make(chan struct{})}
	s.join(k, w)
	s.mu.Unlock()
	select {
	case <-w.granted:
		return func() { s.release(k) }, nil
	case <-ctx.Done():
		s.giveUp(k, w)
		return nil, ctx.Err()
	}
}

// TryAcquire takes a slot for id if one is free now.
func (s *Keyed[K]) TryAcquire(id K) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.key(id)
	if !s.admits(k) {
		s.forgetUnused(k)
		return nil, false
	}
	return s.take(k), true
}

// admits reports whether k may have another slot. A key that has waiters never
// may: whatever is freed is granted in the same critical section.
func (s *Keyed[K]) admits(k *key[K]) bool {
	b := s.bounds
	return (b.PerKey == 0 || k.taken < b.PerKey) &&
		(b.Total == 0 || s.taken < b.Total) &&
		(b.Share == 0 || k.taken < b.Share || s.taken < b.Total/2)
}

func (s *Keyed[K]) take(k *key[K]) (release func()) {
	s.taken++
	k.taken++
	return func() { s.release(k) }
}

func (s *Keyed[K]) release(k *key[K]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	k.taken--
	s.grant()
	s.forgetUnused(k)
}

// grant gives what is free to waiters, one slot to a key before its turn is over.
func (s *Keyed[K]) grant() {
	for turn := s.turns.Front(); turn != nil; {
		k := turn.Value.(*key[K])
		turn = turn.Next()
		if !s.admits(k) {
			continue
		}
		w := k.waiters[0]
		s.part(k, w)
		s.take(k)
		close(w.granted)
		if k.turn != nil {
			s.turns.MoveToBack(k.turn)
			turn = s.turns.Front() // k may be the only one
		}
	}
}

// giveUp ends the wait of w. If its slot came at the same moment, that goes to
// the next one.
func (s *Keyed[K]) giveUp(k *key[K], w *waiter) {
	s.mu.Lock()
	select {
	case <-w.granted:
		s.mu.Unlock()
		s.release(k)
		return
	default:
	}
	defer s.mu.Unlock()
	s.part(k, w)
	s.forgetUnused(k)
}

func (s *Keyed[K]) join(k *key[K], w *waiter) {
	k.waiters = append(k.waiters, w)
	if k.turn == nil {
		k.turn = s.turns.PushBack(k)
	}
}

func (s *Keyed[K]) part(k *key[K], w *waiter) {
	i := slices.Index(k.waiters, w)
	k.waiters = slices.Delete(k.waiters, i, i+1)
	if len(k.waiters) == 0 {
		s.turns.Remove(k.turn)
		k.turn = nil
	}
}

func (s *Keyed[K]) key(id K) *key[K] {
	k := s.keys[id]
	if k == nil {
		k = &key[K]{id: id}
		s.keys[id] = k
	}
	return k
}

func (s *Keyed[K]) forgetUnused(k *key[K]) {
	if k.taken == 0 && len(k.waiters) == 0 {
		delete(s.keys, k.id)
	}
}
