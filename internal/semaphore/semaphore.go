// Package semaphore bounds how many things run at the same time, in all and for
// each key. A key is a homeserver, a user, or a client's network.
//
// A caller that waits holds no permit. Keys get free permits in turn, so a key with
// many waiters delays another key by at most one permit. Among the callers of one
// key, the caller that has waited longest is first. The semaphore has no
// goroutines. A key without permits and waiters takes no memory.
//
// If a permit stands for a byte, a caller takes many permits together: either all
// of them or none.
package semaphore

import (
	"container/list"
	"context"
	"slices"
	"sync"
)

// Bounds are the numbers of permits. Zero means that there is no bound.
type Bounds struct {
	Total  int // how many permits all keys together may have
	PerKey int // how many permits one key may have
	// Share reserves half of Total for keys that have few permits. A key that
	// has Share permits or more gets another one only while half of Total is
	// free.
	Share int
}

// Keyed gives permits to keys, within its bounds. Several goroutines may use it at
// the same time. It must not be copied.
type Keyed[K comparable] struct {
	bounds Bounds

	mu    sync.Mutex
	taken int
	keys  map[K]*key[K] // the keys that have permits or waiters
	turns list.List     // holds *key[K]: the keys that have waiters; the key in front has the next turn
}

// key holds the permits and the waiters of one key.
type key[K comparable] struct {
	id      K
	taken   int
	waiters []*waiter     // in order: the first one has waited longest
	turn    *list.Element // the key's element in Keyed.turns; nil without waiters
}

// waiter is one caller of Acquire or Take that waits.
type waiter struct {
	n       int // how many permits the caller wants
	granted chan struct{}
}

// New returns a semaphore with all its permits free.
func New[K comparable](b Bounds) *Keyed[K] {
	return &Keyed[K]{bounds: b, keys: make(map[K]*key[K])}
}

// Acquire takes a permit for id. It waits for a permit until ctx ends, and then
// returns the error of ctx. If a permit is free immediately, Acquire takes it even
// if ctx has ended. release gives the permit back, and must be called exactly once.
func (s *Keyed[K]) Acquire(ctx context.Context, id K) (release func(), err error) {
	k, err := s.acquire(ctx, id, 1)
	if err != nil {
		return nil, err
	}
	return func() { s.release(k, 1) }, nil
}

// TryAcquire takes a permit for id if one is free now.
func (s *Keyed[K]) TryAcquire(id K) (release func(), ok bool) {
	k := s.tryAcquire(id, 1)
	if k == nil {
		return nil, false
	}
	return func() { s.release(k, 1) }, true
}

// Take takes n permits for id together, and waits for them as Acquire does.
// [Keyed.Give] gives them back, all together or in parts.
func (s *Keyed[K]) Take(ctx context.Context, id K, n int) error {
	_, err := s.acquire(ctx, id, n)
	return err
}

// TryTake takes n permits for id if they are free now.
func (s *Keyed[K]) TryTake(id K, n int) bool { return s.tryAcquire(id, n) != nil }

// Give gives back n permits that id holds.
func (s *Keyed[K]) Give(id K, n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	k := s.keys[id]
	s.mu.Unlock()
	s.release(k, n)
}

// Taken returns how many permits all keys together hold.
func (s *Keyed[K]) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *Keyed[K]) acquire(ctx context.Context, id K, n int) (*key[K], error) {
	s.mu.Lock()
	k := s.key(id)
	if len(k.waiters) == 0 && s.admits(k, n) {
		defer s.mu.Unlock()
		s.take(k, n)
		return k, nil
	}
	w := &waiter{n: n, granted: make(chan struct{})}
	s.join(k, w)
	s.mu.Unlock()
	select {
	case <-w.granted:
		return k, nil
	case <-ctx.Done():
		s.giveUp(k, w)
		return nil, ctx.Err()
	}
}

// tryAcquire takes n permits for id. It returns nil if they are not free, or if other
// callers wait for permits of id.
func (s *Keyed[K]) tryAcquire(id K, n int) *key[K] {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.key(id)
	if len(k.waiters) > 0 || !s.admits(k, n) {
		s.forgetUnused(k)
		return nil
	}
	s.take(k, n)
	return k
}

// admits reports whether k may have n more permits now. It does not look at k's
// waiters.
func (s *Keyed[K]) admits(k *key[K], n int) bool {
	b := s.bounds
	return (b.PerKey == 0 || k.taken+n <= b.PerKey) &&
		(b.Total == 0 || s.taken+n <= b.Total) &&
		(b.Share == 0 || k.taken+n <= b.Share || s.taken+n <= b.Total/2)
}

func (s *Keyed[K]) take(k *key[K], n int) {
	s.taken += n
	k.taken += n
}

func (s *Keyed[K]) release(k *key[K], n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken -= n
	k.taken -= n
	s.grant()
	s.forgetUnused(k)
}

// grant gives free permits to waiters: to one waiter of each key in turn.
func (s *Keyed[K]) grant() {
	for turn := s.turns.Front(); turn != nil; {
		k := turn.Value.(*key[K])
		turn = turn.Next()
		w := k.waiters[0]
		if !s.admits(k, w.n) {
			continue
		}
		s.part(k, w)
		s.take(k, w.n)
		close(w.granted)
		if k.turn != nil {
			s.turns.MoveToBack(k.turn)
			turn = s.turns.Front() // start again, because permits may be free for a second waiter of the same key
		}
	}
}

// giveUp ends the wait of w. If w got its permits at the same moment, they go
// to other waiters.
func (s *Keyed[K]) giveUp(k *key[K], w *waiter) {
	s.mu.Lock()
	select {
	case <-w.granted:
		s.mu.Unlock()
		s.release(k, w.n)
		return
	default:
	}
	defer s.mu.Unlock()
	s.part(k, w)
	s.grant() // the next waiters may want fewer permits than w
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
