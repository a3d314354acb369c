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
	// These are the limits for the pauses between two questions to the store in an
	// outage. Usually, the first question comes immediately. Then the pauses grow from
	// firstPause to longestPause.
	//
	// If the last outage ended less than 30 s (soon) ago, the new outage begins with
	// the last pause of that outage. This is for a full disk: it seems to work again,
	// and fails as soon as something is written.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	soon         = 30 * time.Second
	// batch limits one round of handBack. The round writes at most this many changed
	// jobs, and removes at most this many ended jobs.
	batch = 500
	// lastBatch is how many changes the last round of handBack may write. This round
	// ends the outage. lastTime is how long it may take. Both are small, because all
	// calls of the Store wait during this round.
	lastBatch = 100
	lastTime  = answerTime / 4
	// removers is how many jobs the Store removes at the same time.
	removers = 16
	// removeTries is how often remove tries to remove a job if other processes write the
	// job at the same time.
	removeTries = 4
)

// begin begins an outage. cause is the store's error. The caller holds s.mu.
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

// recover asks the store again and again until the store answers and has got all
// changes.
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

// handBack asks whether the store answers. If so, it writes the changes to the store in
// rounds. Meanwhile memory answers all calls. The last round ends the outage. If the
// next outage begins soon, recover then waits for the time pause before it asks the
// store.
func (s *Store) handBack(ctx context.Context, pause time.Duration) error {
	s.mu.Lock()
	o := s.outage
	s.mu.Unlock()
	_, err := ask(ctx, errorOf(s.probe))
	if away(err) {
		s.giveBack(o, work{}, err)
	}
	if away(err) && !errors.Is(err, leave.ErrForgotten) { // ErrForgotten means that the store answers, but has lost its jobs; then it can get the changes
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

// next returns some of the changes of the outage o that the store has not got yet. If
// only few of them are left, next itself writes them to the store and ends the outage.
// Meanwhile all calls wait. pause is how long recover waits at the start of the next
// outage, if that begins soon.
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

// ask makes one call to the store. The call's context ends after a second. If the call
// goes on after that, ask still waits until it returns. To give up earlier would not
// help, because the next call would have to wait, too.
func ask[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return call(ctx)
}

// work is a set of changes that this process made to its copies during an outage. They
// must be written to the store that did not answer.
type work struct {
	changed []leave.Key
	ended   []leave.Job
}

func (w work) size() uint64 { return uint64(len(w.changed) + len(w.ended)) }

// take removes some changes from o, and returns them: at most n changed jobs and at
// most n ended jobs.
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

// giveBack adds w to the changes that are left, because the store behind the
// [Store] did not accept w. The argument cause is the error of that store.
func (o *outage) giveBack(w work, cause error) {
	for _, key := range w.changed {
		o.changed[key] = struct{}{}
	}
	for _, job := range w.ended {
		o.ended[of(job)] = job
	}
	o.noteCause(cause)
}

// removeAll removes ended jobs from the store. If one of them cannot be removed, it
// stops.
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

// remove removes a job that has ended in this process from the store. If another
// replica has written newer information about the job, remove leaves the job in the
// store.
//
// Each attempt fails if another process writes the job at the same time. After
// removeTries failures, remove leaves the job in the store, and returns no error. The
// other process will learn from the homeserver that the leave has ended.
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
