package redisstore

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// mostGathered is how many changes one script makes at most. They come from
	// different callers.
	mostGathered = 50
	// slowScript is how long a script may run. After that time another script makes
	// the changes that wait for the slow one, because each caller has only a
	// second.
	slowScript = 100 * time.Millisecond
)

// gather collects the changes that come while a script is running, so that one
// script makes them together. A new script costs several times as much as one more
// change in a script. If no script is running, a change does not wait.
type gather struct {
	slow time.Duration // slowScript, except in some tests

	mu      sync.Mutex
	busy    bool      // whether the last script is running
	began   time.Time // when the last script began
	scripts int       // how many scripts add has begun; only the last of them goes on with the waiting changes
	waiting []*gathered
}

// gathered is a change of one caller. When done is closed, either result or err is
// set.
type gathered struct {
	ctx    context.Context // the caller's context, which ends at until
	until  time.Time
	change change
	done   chan struct{}
	result outcome
	err    error
}

// writeOne makes one change, perhaps together with changes of other callers.
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

// add adds a change to those that wait. If no script is running, or only slow ones,
// the caller must run a new script. Then add returns the changes for that script,
// and the script's number.
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

// next returns the changes to make after the script with the given number has
// ended. It returns none if add has begun another script since, because that script
// was slow.
func (w *gather) next(script int) (some []*gathered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if script != w.scripts {
		return nil
	}
	return w.take()
}

// take removes up to mostGathered changes from those that wait, and returns them
// for the next script. The caller holds the lock.
func (w *gather) take() (some []*gathered) {
	for len(w.waiting) > 0 && len(some) < mostGathered {
		g := w.waiting[0]
		w.waiting[0] = nil
		w.waiting = w.waiting[1:]
		if g.ctx.Err() == nil { // otherwise the caller has given up
			some = append(some, g)
		}
	}
	if len(w.waiting) == 0 {
		w.waiting = nil
	}
	w.busy, w.began = len(some) > 0, time.Now()
	return some
}

// writeGathered makes the changes of several callers. Then it begins with the
// changes that came meanwhile.
func (s *Store) writeGathered(some []*gathered, script int) {
	groups := byTimeLeft(some)
	if len(groups) == 1 { // the usual case, for which no goroutine is started
		s.writeTogether(groups[0])
		s.writeNext(script)
		return
	}
	var running sync.WaitGroup
	for _, group := range groups {
		running.Go(func() { s.writeTogether(group) })
	}
	go func() {
		running.Wait()
		s.writeNext(script)
	}()
}

// writeNext begins with the changes that came while the script with the given
// number was running.
func (s *Store) writeNext(script int) {
	if next := s.gather.next(script); len(next) > 0 {
		go s.writeGathered(next, script)
	}
}

// byTimeLeft divides changes into groups, each for one script. The deadline of a
// script is that of the caller who gives up first. In each group, this caller has
// at least half as much time left as each of the other callers.
func byTimeLeft(some []*gathered) (groups [][]*gathered) {
	now := time.Now()
	slices.SortStableFunc(some, func(a, b *gathered) int { return b.until.Compare(a.until) })
	for len(some) > 0 {
		half := some[0].until.Sub(now) / 2
		n := 1
		for n < len(some) && some[n].until.Sub(now) >= half {
			n++
		}
		groups = append(groups, some[:n])
		some = some[n:]
	}
	return groups
}

// writeTogether makes changes with one script. It gives up as soon as one of their
// callers would give up.
func (s *Store) writeTogether(some []*gathered) {
	ctx, changes := some[0].ctx, make([]change, len(some))
	for i, g := range some {
		changes[i] = g.change
	}
	if len(some) > 1 { // if one caller gives up, the changes of the others must go on
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, some[len(some)-1].until)
	defer cancel()
	results, err := s.write(ctx, changes...)
	for i, g := range some {
		if g.err = err; err == nil {
			g.result = results[i]
		}
		close(g.done)
	}
}
