package standby

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/leave"
)

const (
	// These are the pauses between two questions to the store in an outage. The
	// first question comes at once. The pauses grow from firstPause to
	// longestPause. If the next outage begins within the time soon, its pauses
	// begin with the last pause of this outage. The reason is a full disk: it seems
	// to work until something is written.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	soon         = 30 * time.Second
	// One round of handBack writes at most batch changed jobs, and at most batch
	// ended jobs.
	batch = 500
	// lastBatch is the most changes that the last round of an outage may write.
	// lastTime is how long that round may take. They are small because every call
	// waits during that round.
	lastBatch = 100
	lastTime  = answerTime / 4
	// removers is how many jobs are removed at the same time.
	removers = 16
	// removeTries is how often remove tries to remove a job while other processes
	// write the job.
	removeTries = 4
)

// begin begins an outage. The caller holds s.mu.
func (s *Store) begin(cause error) {
	if time.Since(s.since) >= soon {
		s.pause = 0
	}
	s.counts.outages++
	s.since = time.Now()
	s.outage = newOutage(s.memory, s.counts.outages, cause)
	copies := s.copies()
	if errors.Is(cause, leave.ErrForgotten) {
		s.log.Error("leave: the store has lost its jobs; this process restores its copies", "copies", copies)
	} else {
		s.log.Error("leave: the store does not answer; leaves are kept in memory", "err", s.outage.cause, "copies", copies)
	}
	if pause := s.pause; s.stopped.Err() == nil {
		s.running.Go(func() { s.recover(pause) })
	}
}

// recover asks the store again and again until it answers and has all changes.
func (s *Store) recover(pause time.Duration) {
	s.observe(s.Status())
	for timing.Sleep(s.stopped, pause) {
		pause = min(max(2*pause, firstPause), longestPause)
		err := s.handBack(s.stopped, pause)
		if err == nil {
			s.observe(s.Status())
			return
		}
		s.log.Debug("leave: the store still does not answer", "err", err)
		pause -= rand.N(pause / 4)
	}
}

// handBack asks whether the store answers, and writes the changes to the store in
// rounds. Meanwhile memory answers all calls. The last round ends the outage. If
// another outage begins soon, its first pause is pause.
func (s *Store) handBack(ctx context.Context, pause time.Duration) error {
	s.mu.Lock()
	o := s.outage
	s.mu.Unlock()
	_, err := ask(ctx, errorOf(s.probe))
	if away(err) {
		s.giveBack(o, work{}, err)
	}
	if away(err) && !errors.Is(err, leave.ErrForgotten) { // a store that has forgotten its jobs does answer
		return err
	}
	for {
		w, over, err := s.next(ctx, o, pause)
		if over || err != nil {
			return err
		}
		if err := s.deliver(ctx, w); err != nil {
			s.giveBack(o, w, err)
			return err
		}
		s.delivered(w)
	}
}

// next returns the next changes of the outage o that must be written. If few are
// left, it writes them itself while all calls wait, and ends the outage.
func (s *Store) next(ctx context.Context, o *outage, pause time.Duration) (w work, over bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.outage != o:
		return w, true, nil
	case o.left() > lastBatch:
		return o.take(batch), false, nil
	}
	w = o.take(lastBatch)
	_, err = within(ctx, lastTime, errorOf(func(ctx context.Context) error { return s.deliver(ctx, w) }))
	if err != nil {
		o.giveBack(w, err)
		return w, false, err
	}
	s.counts.merged += w.size()
	s.log.Info("leave: the store answers again", "after", time.Since(s.since).Round(time.Millisecond),
		"accepted_meanwhile", len(o.accepted))
	s.outage, s.since, s.pause = nil, time.Now(), pause
	return w, true, nil
}

func (s *Store) giveBack(o *outage, w work, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.giveBack(w, cause)
}

func (s *Store) delivered(w work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.merged += w.size()
}

// ask makes one call to the store, which may take a second. If the call ignores its
// context, ask waits until the call ends, because the next call would have to wait,
// too.
func ask[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return call(ctx)
}

// work is a set of changes to write to the store.
type work struct {
	changed []leave.Key
	ended   []leave.Job
}

func (w work) size() uint64 { return uint64(len(w.changed) + len(w.ended)) }

// take removes at most n changes of each kind from the changes that are left, and
// returns them.
func (o *outage) take(n int) work {
	var w work
	for key := range o.changed {
		if len(w.changed) == n {
			break
		}
		delete(o.changed, key)
		w.changed = append(w.changed, key)
	}
	for d, job := range o.ended {
		if len(w.ended) == n {
			break
		}
		delete(o.ended, d)
		w.ended = append(w.ended, job)
	}
	return w
}

// giveBack adds w to the changes that are left, because the store did not accept w.
// It also records the cause.
func (o *outage) giveBack(w work, cause error) {
	for _, key := range w.changed {
		o.changed[key] = struct{}{}
	}
	for _, job := range w.ended {
		o.ended[of(job)] = job
	}
	o.noteCause(cause)
}

// removeAll removes ended jobs from the store. It stops when one removal fails.
func (s *Store) removeAll(ctx context.Context, jobs []leave.Job) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	places := make(chan struct{}, removers)
	for _, job := range jobs {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			if err := s.remove(ctx, job); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// remove removes a job that has ended in this process from the store. It keeps the
// job if another replica has written newer information about it. After removeTries
// it gives up: another process writes the job all the time, and that process will
// learn from the homeserver that the leave has ended.
func (s *Store) remove(ctx context.Context, ended leave.Job) error {
	for range removeTries {
		stored, err := ask(ctx, func(ctx context.Context) (leave.Job, error) { return s.store.Get(ctx, ended.Key) })
		switch {
		case errors.Is(err, leave.ErrNotFound):
			return nil
		case err != nil:
			return err
		case !stored.Same(ended) || stored.Newer(ended):
			return nil
		}
		_, err = ask(ctx, errorOf(func(ctx context.Context) error { return s.store.Delete(ctx, stored) }))
		if !errors.Is(err, leave.ErrConflict) {
			return err
		}
	}
	return nil
}
