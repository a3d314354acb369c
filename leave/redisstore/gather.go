package redisstore

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// mostGathered is how many changes of different callers one script makes at most.
	mostGathered = 50
	// slowScript is how long changes wait for a running script. If the script runs
	// longer, another script makes the waiting changes, because a caller waits at most a
	// second (callTime).
	slowScript = 100 * time.Millisecond
)

// gather collects the changes that come while a script is running in Redis. When that
// script ends, the next script makes up to mostGathered of these changes. This saves
// time, because starting a script takes several times as long as making one change in
// it. If no script is running, a change does not wait.
type gather struct {
	slow time.Duration // how long changes wait for a running script: slowScript, except in some tests

	mu      sync.Mutex
	busy    bool      // whether the script that began last is still running
	began   time.Time // when the last script began
	scripts int       // how many scripts the method add has begun; when the last of them ends, the next script makes the waiting changes
	waiting []*gathered
}

// gathered is one change that a caller of writeOne wants to make. When the channel done
// is closed, the fields result and err say how the change ended.
type gathered struct {
	ctx    context.Context // the caller's context
	until  time.Time       // the deadline of ctx
	change change
	done   chan struct{}
	result outcome
	err    error
}

// writeOne makes one change. If a script is running, it makes the change together with
// the changes of other callers.
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

// add adds a change to the waiting changes. If a script is running, and has run for less
// than w.slow, add returns no changes. Otherwise it returns changes for a new script,
// and the number of this script. The caller must then run the script.
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

// next is called when the script with the given number has ended. It returns the
// waiting changes, which the caller must make with a new script. If add has begun a
// newer script meanwhile, next returns none: the caller that runs the newer script calls
// next when that script has ended.
func (w *gather) next(script int) (some []*gathered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if script != w.scripts {
		return nil
	}
	return w.take()
}

// take removes up to mostGathered changes from the waiting ones, and returns them for a
// new script. The caller holds the lock.
func (w *gather) take() (some []*gathered) {
	for len(w.waiting) > 0 && len(some) < mostGathered {
		g := w.waiting[0]
		w.waiting[0] = nil
		w.waiting = w.waiting[1:]
		if g.ctx.Err() == nil { // a caller whose context has ended no longer needs the change
			some = append(some, g)
		}
	}
	if len(w.waiting) == 0 {
		w.waiting = nil
	}
	w.busy, w.began = len(some) > 0, time.Now()
	return some
}

// writeGathered makes the changes of several callers. Then it makes the changes that
// have come meanwhile.
func (s *Store) writeGathered(some []*gathered, script int) {
	groups := byTimeLeft(some)
	if len(groups) == 1 { // the usual case needs no goroutine
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

// writeNext starts to make the changes that have come while the script with the given
// number was running.
func (s *Store) writeNext(script int) {
	if next := s.gather.next(script); len(next) > 0 {
		go s.writeGathered(next, script)
	}
}

// byTimeLeft divides changes into groups, each for one script. A script must end before
// the first of its callers gives up. So byTimeLeft puts callers with similar time left
// into a group: nobody in it has less than half of the time that another one has.
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

// writeTogether makes the changes of several callers with one script. The script may
// run no longer than until the earliest of the callers' deadlines.
func (s *Store) writeTogether(some []*gathered) {
	ctx, changes := some[0].ctx, make([]change, len(some))
	for i, g := range some {
		changes[i] = g.change
	}
	if len(some) > 1 { // if one caller cancels its call, the changes of the other callers must still be made
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
