package leave

import (
	"context"
	"errors"
	"slices"
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
	recreators   = 50 // rooms created at once when the SFU is back
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

// SFUAnswers reports whether the SFU answered the last question.
func (k *Keeper) SFUAnswers() bool {
	down, _ := k.watch.state()
	return !down
}

// sfuFailed is told of a question that got no answer. An answer that is
// merely wrong concerns that question alone, and one that nobody waited for
// says nothing.
func (k *Keeper) sfuFailed(err error) {
	if e, ok := errors.AsType[*sfu.Error](err); ok && !unreachable(e.Cause) {
		k.Log.Warn("leave: the SFU did not say who is there", "err", err)
		return
	}
	if down, _ := k.watch.state(); !down {
		k.Log.Warn("leave: the SFU does not answer", "err", err)
	}
	k.watch.failed(time.Now())
}

func unreachable(cause string) bool {
	switch cause {
	case sfu.CauseDNS, sfu.CauseConnect, sfu.CauseTLS, sfu.CauseTimeout:
		return true
	}
	return false
}

// watchSFU asks an SFU that is away until it answers, then has it know the
// rooms again.
func (k *Keeper) watchSFU(ctx context.Context) {
	for k.watch.awaitFailure(ctx) {
		_, since := k.watch.state()
		if k.answers(ctx) {
			k.welcome(ctx, since)
		}
		if down, _ := k.watch.state(); down {
			sleep(ctx, pollPause(time.Since(since)))
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

// welcome has an SFU that is back know its rooms again.
func (k *Keeper) welcome(ctx context.Context, since time.Time) {
	if !k.recreate(ctx) {
		return
	}
	k.watch.recovered(time.Now())
	k.Log.Info("leave: the SFU answers again", "after", time.Since(since).Round(time.Millisecond))
	k.Wake()
}

const (
	// linePause is the least time between two looks for a restart of the SFU.
	linePause = time.Second
	// lineBroken is how soon a line is opened again that had lasted.
	lineBroken = 100 * time.Millisecond
)

// watchLine notices an SFU that ends and is back before anybody has asked: its
// clients come back to rooms that are not there, and give up.
func (k *Keeper) watchLine(ctx context.Context) {
	for pause := lineBroken; sleep(ctx, pause); {
		began := time.Now()
		err := k.SFU.Watch(ctx)
		pause = linePause
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			continue // whoever asks will hear of it
		case time.Since(began) > linePause:
			pause = lineBroken
		}
		k.lineEnded(ctx)
	}
}

// lineEnded finds out whether the SFU has ended, or a proxy was tired of a
// connection without requests.
func (k *Keeper) lineEnded(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	now := time.Now()
	switch err := k.SFU.Ping(asking); {
	case ctx.Err() != nil:
	case err != nil:
		k.sfuFailed(err)
	case k.lostRooms(ctx):
		k.Log.Warn("leave: the SFU has restarted")
		k.watch.failed(now) // watchSFU welcomes it
	}
}

// someRooms is how many rooms tell of all.
const someRooms = 3

// lostRooms reports whether the SFU no longer has a room that somebody was in,
// or has made it anew.
func (k *Keeper) lostRooms(ctx context.Context) bool {
	rooms, err := k.Store.Rooms(ctx)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(rooms[:min(len(rooms), someRooms)], func(room sfu.Room) bool {
		jobs, err := k.Store.Room(ctx, room)
		i := slices.IndexFunc(jobs, func(j Job) bool { return j.State == Connected || j.State == Leaving && !j.ClearLeave })
		return err == nil && i >= 0 && k.lostRoom(ctx, jobs[i])
	})
}

func (k *Keeper) lostRoom(ctx context.Context, j Job) bool {
	since, err := k.roomSince(ctx, j.Room)
	return err == nil && j.isBefore(since)
}

func (k *Keeper) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return k.SFU.Ping(ctx) == nil
}

// recreate creates every room that somebody is in. It reports whether the SFU
// went on answering.
func (k *Keeper) recreate(ctx context.Context) bool {
	rooms, err := k.Store.Rooms(ctx)
	if err != nil {
		k.Log.Error("leave: listing rooms to create them again", "err", err)
		return false
	}
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, recreators)
		mu    sync.Mutex
		ok    = true
	)
	for _, room := range rooms {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := k.createRoom(ctx, room); err != nil {
				mu.Lock()
				defer mu.Unlock()
				ok = false
			}
		})
	}
	wg.Wait()
	return ok
}

func (k *Keeper) createRoom(ctx context.Context, room sfu.Room) error {
	ctx, cancel := context.WithTimeout(ctx, 5*askTime)
	defer cancel()
	err := k.SFU.CreateRoom(ctx, room)
	if err != nil {
		k.Log.Warn("leave: creating a room again", "room", room, "err", err)
	}
	return err
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
