package presence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/sfu"
)

const (
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

// Away reports whether the SFU is known not to answer.
func (p *Presence) Away() bool {
	down, _ := p.outage.state()
	return down
}

// AwaySince returns since when the SFU has not answered; false if it does.
func (p *Presence) AwaySince() (time.Time, bool) {
	down, since := p.outage.state()
	return since, down
}

// BackSince returns when the SFU has come back; the zero time if it was never
// away, or is now.
func (p *Presence) BackSince() time.Time {
	if down, since := p.outage.state(); !down {
		return since
	}
	return time.Time{}
}

// Outage is how much longer clients may take to come back, 0 if the SFU was not
// away.
func (p *Presence) Outage() time.Duration {
	down, since := p.outage.state()
	switch {
	case down:
		return p.Back
	case since.IsZero():
		return 0
	}
	return max(0, since.Add(p.Back).Sub(p.Clock.Now()))
}

// Answers reports whether the SFU answers what it is asked. One that refuses our
// key does not.
func (p *Presence) Answers() bool {
	p.outage.mu.Lock()
	defer p.outage.mu.Unlock()
	return !p.outage.down && !p.outage.unauthorized
}

// note is told what came of a question. Whatever is not the SFU's own word says
// that it is away: before it may be a proxy, which answers in its place. Its own
// word concerns that question alone, and a question that nobody waited for says
// nothing.
func (p *Presence) note(err error) {
	e, ok := errors.AsType[*sfu.Error](err)
	switch {
	case err == nil:
		p.outage.setUnauthorized(false)
	case errors.Is(err, context.Canceled):
	case ok && e.Answered:
		if e.Cause == sfu.CauseUnauthorized {
			p.outage.setUnauthorized(true)
		}
		level := slog.LevelDebug
		if p.refused.Due(p.Clock.Now()) {
			level = slog.LevelWarn
		}
		p.Log.Log(context.Background(), level, "leave: the SFU did not say who is there", "err", err)
	default:
		if !p.Away() {
			p.Log.Warn("leave: the SFU does not answer", "err", err)
		}
		p.outage.begin(p.Clock.Now())
	}
}

// Restore has an SFU that answers again know its rooms. It returns how many
// could not be created; false says that the SFU is away again.
type Restore func(ctx context.Context) (missing int, ok bool)

// Run watches the SFU until ctx ends. When it was away and answers again, and
// restore has done its work, it is back: an SFU without Redis forgets its rooms
// when it restarts, and with auto_create off a client that comes back to a
// missing room gives up. Until then nobody's absence is believed.
func (p *Presence) Run(ctx context.Context, restore Restore) {
	var connection sync.WaitGroup
	defer connection.Wait()
	connection.Go(func() { p.watchConnection(ctx) })
	for p.outage.await(ctx) {
		_, since := p.outage.state()
		if p.pings(ctx) {
			p.tryBack(ctx, since, restore)
		}
		if p.Away() {
			sleep(ctx, pollPause(p.Clock.Since(since)))
		}
	}
}

func (p *Presence) tryBack(ctx context.Context, since time.Time, restore Restore) {
	missing, ok := restore(ctx)
	if !ok || missing > 0 && !p.pings(ctx) {
		return
	}
	p.outage.end(p.Clock.Now())
	p.Log.Info("leave: the SFU answers again", "after", p.Clock.Since(since).Round(time.Millisecond), "rooms_missing", missing)
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

func (p *Presence) pings(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return p.SFU.Ping(ctx) == nil
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
