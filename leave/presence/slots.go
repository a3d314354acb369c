package presence

import (
	"context"
	"sync"
)

// slots bounds what is done at once, always by the same most. The zero value is
// ready.
type slots struct {
	once sync.Once
	free chan struct{}
}

func (s *slots) init(most int) { s.once.Do(func() { s.free = make(chan struct{}, most) }) }

// tryTake reports whether there was a free one.
func (s *slots) tryTake(most int) bool {
	s.init(most)
	select {
	case s.free <- struct{}{}:
		return true
	default:
		return false
	}
}

// take waits for a free one; false if ctx has ended.
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
