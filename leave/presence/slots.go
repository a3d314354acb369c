package presence

import (
	"context"
	"sync"
)

// slots bounds what is done at once. The zero value is ready.
type slots struct {
	once sync.Once
	free chan struct{}
}

func (s *slots) init() { s.once.Do(func() { s.free = make(chan struct{}, mostAtOnce) }) }

// tryTake reports whether there was a free one.
func (s *slots) tryTake() bool {
	s.init()
	select {
	case s.free <- struct{}{}:
		return true
	default:
		return false
	}
}

// take waits for a free one; false if ctx has ended.
func (s *slots) take(ctx context.Context) bool {
	s.init()
	select {
	case s.free <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *slots) release() { <-s.free }
