package presence

import (
	"context"
	"sync"
)

// slots bounds concurrent work. All calls must pass the same most. The zero
// value is ready.
type slots struct {
	once sync.Once
	free chan struct{}
}

func (s *slots) init(most int) { s.once.Do(func() { s.free = make(chan struct{}, most) }) }

// tryTake takes a slot if one is free, and reports whether it did.
func (s *slots) tryTake(most int) bool {
	s.init(most)
	select {
	case s.free <- struct{}{}:
		return true
	default:
		return false
	}
}

// take waits for a slot. It reports false if ctx ended.
func (s *slots) take(ctx context.Context, most int) bool {
	s.init(most)
	select {
	case s.free <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *slots) release() { <-s.free }
