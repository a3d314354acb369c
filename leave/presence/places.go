package presence

import (
	"context"
	"sync"
)

// places bounds how many pieces of work run at once: each of them holds a place.
// Every call must pass the same number most, which is the number of places. The
// zero value is ready to use.
type places struct {
	once sync.Once
	free chan struct{}
}

func (p *places) init(most int) { p.once.Do(func() { p.free = make(chan struct{}, most) }) }

// tryTake takes a place if one is free, and reports whether it did.
func (p *places) tryTake(most int) bool {
	p.init(most)
	select {
	case p.free <- struct{}{}:
		return true
	default:
		return false
	}
}

// take waits for a place, and takes it. It reports false if ctx ends first.
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
