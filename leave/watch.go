package leave

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

const (
	askTime = time.Second // one question about presence
	// An SFU that is away is asked every pollAtFirst, then every pollOutage,
	// then every pollLongGone. A client that comes back between the SFU's
	// return and the next question finds no room and gives up, and just at
	// first clients try several times a second.
	pollAtFirst  = 20 * time.Millisecond
	pollOutage   = 200 * time.Millisecond
	pollLongGone = 5 * time.Second
	atFirst      = 10 * time.Second
	longGone     = time.Minute
)

// watch knows whether the SFU answers. An SFU without Redis forgets its rooms
// when it restarts, and with auto_create off a client that comes back to a
// missing room gives up: so when the SFU answers again, the rooms are created
// before anybody's absence is believed.
type watch struct {
	mu    sync.Mutex
	down  bool
	since time.Time     // when it went down, or came back
	gone  chan struct{} // closed when it goes down; nil until somebody waits
	// unauthorized: it answers, but refuses our key.
	unauthorized bool
	warned       seldom // of an answer that was none
	notCreated   seldom // of a room that could not be created
}

// seldom is when something was last warned of that may go on for long.
type seldom struct{ at time.Time }

const seldomTime = 10 * time.Minute

// again reports whether it is time to warn once more.
func (s *seldom) again(now time.Time) bool {
	if !s.at.IsZero() && now.Sub(s.at) < seldomTime {
		return false
	}
	s.at = now
	return true
}

// answered is told of an answer, refused of one that was none; that reports
// whether to warn of it.
func (w *watch) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unauthorized = false
}

func (w *watch) refused(now time.Time, unauthorized bool) (warn bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unauthorized = w.unauthorized || unauthorized
	return w.warned.again(now)
}

func (w *watch) roomFailed(now time.Time) (warn bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.notCreated.again(now)
}

var errSFUAway = errors.New("the SFU does not answer")

// failed is told that a question was not answered.
func (w *watch) failed(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return
	}
	w.down, w.since = true, now
	if w.gone != nil {
		close(w.gone)
		w.gone = nil
	}
}

// awaitFailure returns true once the SFU is down, false when ctx has ended.
func (w *watch) awaitFailure(ctx context.Context) bool {
	w.mu.Lock()
	if w.down {
		w.mu.Unlock()
		return ctx.Err() == nil
	}
	if w.gone == nil {
		w.gone = make(chan struct{})
	}
	gone := w.gone
	w.mu.Unlock()
	select {
	case <-ctx.Done():
		return false
	case <-gone:
		return true
	}
}

func (w *watch) recovered(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.since = false, now
}

func (w *watch) state() (down bool, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down, w.since
}

// outage is how much longer clients may take to come back after an outage.
func (w *watch) outage(g Grace, now time.Time) time.Duration {
	down, since := w.state()
	switch {
	case down:
		return g.Outage
	case since.IsZero():
		return 0
	}
	return max(0, since.Add(g.Outage).Sub(now))
}

// SFUAnswers reports whether the SFU answers what it is asked. One that refuses
// our key does not.
func (k *Keeper) SFUAnswers() bool {
	k.watch.mu.Lock()
	defer k.watch.mu.Unlock()
	return !k.watch.down && !k.watch.unauthorized
}

// sfuAnswered is told of a question that got an answer.
func (k *Keeper) sfuAnswered() { k.watch.answered() }

// sfuFailed is told of a question that got no answer. Whatever is not the SFU's
// own word says that it is away: before it may be a proxy, which answers in its
// place. Its own word concerns that question alone, and one that nobody waited
// for says nothing.
func (k *Keeper) sfuFailed(err error) {
	e, ok := errors.AsType[*sfu.Error](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errNotCreated):
	case ok && e.Answered:
		k.logSeldom(k.watch.refused(k.now(), e.Cause == sfu.CauseUnauthorized), "leave: the SFU did not say who is there", err)
	default:
		if down, _ := k.watch.state(); !down {
			k.Log.Warn("leave: the SFU does not answer", "err", err)
		}
		k.watch.failed(k.now())
	}
}

// logSeldom warns, if it is time to, of what may go on for long.
func (k *Keeper) logSeldom(warn bool, text string, err error, args ...any) {
	level := slog.LevelDebug
	if warn {
		level = slog.LevelWarn
	}
	k.Log.Log(context.Background(), level, text, append(args, "err", err)...)
}

// watchSFU asks an SFU that is away until it answers, then has it know the
// rooms again.
func (k *Keeper) watchSFU(ctx context.Context) {
	var insisting sync.WaitGroup
	defer insisting.Wait()
	for k.watch.awaitFailure(ctx) {
		_, since := k.watch.state()
		if k.answers(ctx) {
			left := k.welcome(ctx, since)
			insisting.Go(func() { k.insist(ctx, left) })
		}
		if down, _ := k.watch.state(); down {
			sleep(ctx, pollPause(k.Clock.Since(since)))
		}
	}
}

// pollPause is how long after a question the next one comes to an SFU that has
// been away for so long.
func pollPause(away time.Duration) time.Duration {
	switch {
	case away < atFirst:
		return pollAtFirst
	case away < longGone:
		return pollOutage
	}
	return pollLongGone
}

func (k *Keeper) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return k.SFU.Ping(ctx) == nil
}

// sleep waits and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
