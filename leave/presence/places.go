package presence

import (
	"context"
	"sync"
)

// places limits how many tasks run at the same time. Each running task has a place. The
// methods get the number of places as the argument most, which must be the same in every
// call. The zero value is ready to use.
type places struct {
	once sync.Once
	free chan struct{}
}

func (p *places) init(most int) { p.once.Do(func() { p.free = make(chan struct{}, most) }) }

// tryTake takes a place if one is free, and never waits. It reports whether it has taken
// a place.
func (p *places) tryTake(most int) bool {
	p.init(most)
	select {
	case p.free <- struct{}{}:
		return true
	default:
		return false
	}
}

// take waits for a free place and takes it. It reports false if ctx ends first.
func (p *places) take(ctx context.Context, most int) bool {
	p.init(most)
	select {
	case p.free <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *places) release() { <-p.free }
