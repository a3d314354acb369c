package redisstore

import (
	"context"
	"sync"
	"time"
)

const (
	// mostGathered is how many changes of different callers are made by one script.
	mostGathered = 50
	// slowScript is how long a script may take before the next change waits for it no
	// longer: each caller has a second, and they must not spend it one after another.
	slowScript = 100 * time.Millisecond
)

// gather makes one script of the changes that come while another is under way: a
// script costs the server and us several times what one more change in it costs.
// Nobody waits where none is under way.
type gather struct {
	slow time.Duration // slowScript, except in some tests

	mu      sync.Mutex
	busy    bool      // the last script is under way …
	began   time.Time // … since then
	scripts int       // how many were begun beside slow ones
	waiting []*gathered
}

// gathered is a caller's change, and what became of it once done is closed.
type gathered struct {
	ctx    context.Context // the caller's, which ends at until
	until  time.Time
	change change
	done   chan struct{}
	result outcome
	err    error
}

// writeOne makes one change, perhaps together with those of other callers.
func (s *Store) writeOne(ctx context.Context, c change) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	c, err := c.encoded(s.form.now())
	if err != nil {
		return outcome{}, err
	}
	until, _ := ctx.Deadline()
	g := &gathered{ctx: ctx, until: until, change: c, done: make(chan struct{})}
	if some, script := s.gather.add(g); len(some) > 0 {
		s.writeGathered(some, script)
	}
	select {
	case <-g.done:
		return g.result, g.err
	case <-ctx.Done():
		return outcome{}, s.failed(ctx.Err())
	}
}

// add adds a change to those that wait. If no script is under way but slow ones, it
// returns the changes that the caller makes by another.
func (w *gather) add(g *gathered) (some []*gathered, script int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, g)
	if w.busy && time.Since(w.began) < w.slow {
		return nil, 0
	}
	w.scripts++
	return w.take(), w.scripts
}

// next returns the changes that are made after a script, unless it was a slow one
// beside which another was begun.
func (w *gather) next(script int) (some []*gathered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if script != w.scripts {
		return nil
	}
	return w.take()
}

// take takes the changes that the next script makes from those that wait. The lock is
// held.
func (w *gather) take() (some []*gathered) {
	for len(w.waiting) > 0 && len(some) < mostGathered {
		g := w.waiting[0]
		w.waiting[0] = nil
		w.waiting = w.waiting[1:]
		if g.ctx.Err() == nil { // else its caller has gone on without it
			some = append(some, g)
		}
	}
	if len(w.waiting) == 0 {
		w.waiting = nil
	}
	w.busy, w.began = len(some) > 0, time.Now()
	return some
}

// writeGathered makes the changes of several callers, and then has those made that
// came meanwhile.
func (s *Store) writeGathered(some []*gathered, script int) {
	s.writeTogether(some)
	if next := s.gather.next(script); len(next) > 0 {
		go s.writeGathered(next, script)
	}
}

// writeTogether makes changes by one script, until the first of their callers has
// no time left.
func (s *Store) writeTogether(some []*gathered) {
	ctx, changes := some[0].ctx, make([]change, len(some))
	until := some[0].until
	for i, g := range some {
		changes[i] = g.change
		if g.until.Before(until) {
			until = g.until
		}
	}
	if len(some) > 1 { // then a caller that leaves must not stop the others' changes
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	results, err := s.write(ctx, changes...)
	for i, g := range some {
		if g.err = err; err == nil {
			g.result = results[i]
		}
		close(g.done)
	}
}
