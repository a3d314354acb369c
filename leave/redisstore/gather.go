package redisstore

import (
	"context"
	"sync"
	"time"
)

// mostGathered is how many changes of different callers are made by one script.
const mostGathered = 50

// gather makes one script of the changes that come while another is under way: a
// script costs the server and us several times what one more change in it costs.
// Nobody waits where none is under way. The zero value is ready.
type gather struct {
	mu      sync.Mutex
	busy    bool // a script is under way
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
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	c, err := c.encoded(s.form.now())
	if err != nil {
		return outcome{}, err
	}
	until, _ := ctx.Deadline()
	g := &gathered{ctx: ctx, until: until, change: c, done: make(chan struct{})}
	if s.gather.add(g) {
		s.writeGathered([]*gathered{g})
	}
	select {
	case <-g.done:
		return g.result, g.err
	case <-ctx.Done():
		return outcome{}, s.failed(ctx.Err())
	}
}

// add adds a change to those that wait. It reports true instead if no script is
// under way: then the caller begins one.
func (w *gather) add(g *gathered) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.busy {
		w.busy = true
		return true
	}
	w.waiting = append(w.waiting, g)
	return false
}

// next returns the changes that the next script makes. If there are none, no script
// is under way any more.
func (w *gather) next() (some []*gathered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > 0 && len(some) < mostGathered {
		g := w.waiting[0]
		w.waiting[0] = nil
		w.waiting = w.waiting[1:]
		if g.ctx.Err() == nil { // else its caller has gone on without it
			some = append(some, g)
		}
	}
	if len(some) == 0 {
		w.busy, w.waiting = false, nil
	}
	return some
}

// writeGathered makes the changes of several callers, and then has those made that
// came meanwhile.
func (s *Store) writeGathered(some []*gathered) {
	s.writeTogether(some)
	if next := s.gather.next(); len(next) > 0 {
		go s.writeGathered(next)
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
