package presence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

const (
	// These are the pauses between two questions to an SFU that is away. A client
	// gives up if it reconnects before the SFU's rooms exist again. Clients try
	// several times a second at first, so the first pauses are the shortest.
	pollAtFirst  = 20 * time.Millisecond  // the pause while the SFU has been away for less than atFirst
	pollOutage   = 200 * time.Millisecond // the pause while the SFU has been away for between atFirst and longGone
	pollLongGone = 5 * time.Second        // the pause when the SFU has been away for at least longGone
	atFirst      = 10 * time.Second
	longGone     = time.Minute
)

// Away reports whether the SFU does not answer, as far as this process knows.
func (p *Presence) Away() bool {
	down, _ := p.outage.state()
	return down
}

// AwaySince returns when the SFU went away. It reports false if the SFU is not away
// now.
func (p *Presence) AwaySince() (time.Time, bool) {
	down, since := p.outage.state()
	return since, down
}

// BackSince returns when the SFU came back. It is zero if the SFU was never away,
// or is away now.
func (p *Presence) BackSince() time.Time {
	if down, since := p.outage.state(); !down {
		return since
	}
	return time.Time{}
}

// Outage returns how much longer clients may take to reconnect. It is 0 if the SFU
// was not away, or has been back for long enough.
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

// Answers reports whether the SFU answers questions. It reports false if the SFU
// refuses our key.
func (p *Presence) Answers() bool {
	p.outage.mu.Lock()
	defer p.outage.mu.Unlock()
	return !p.outage.down && !p.outage.unauthorized
}

// note records the result of a question to the SFU. One question without an answer
// begins an outage, and /healthz says degraded until the outage ends. If a proxy
// answers in place of LiveKit, that counts as no answer. If LiveKit itself answers
// with an error, no outage begins. A cancelled question says nothing.
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
		p.Log.Log(context.Background(), level, "leave: the SFU did not say whether participants are there", "err", err)
	default:
		if !p.Away() {
			p.Log.Warn("leave: the SFU does not answer", "err", err)
		}
		p.outage.begin(p.Clock.Now())
	}
}

// Restore recreates the rooms of an SFU that answers again. It returns how many
// rooms it could not create. It reports false if the SFU is away again.
type Restore func(ctx context.Context) (missing int, ok bool)

// Run watches the SFU until ctx ends. After an outage the SFU counts as back when
// it answers and restore has recreated its rooms. An SFU without Redis loses its
// rooms when it restarts. With auto_create off, a client gives up if its room is
// missing. Until the SFU is back, nobody counts as absent.
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
			timing.Sleep(ctx, pollPause(p.Clock.Since(since)))
		}
	}
}

// tryBack restores the rooms of an SFU that went away at since. Then it records
// that the SFU is back.
func (p *Presence) tryBack(ctx context.Context, since time.Time, restore Restore) {
	missing, ok := restore(ctx)
	if !ok || missing > 0 && !p.pings(ctx) {
		return
	}
	p.outage.end(p.Clock.Now())
	p.Log.Info("leave: the SFU answers again", "after", p.Clock.Since(since).Round(time.Millisecond), "rooms_missing", missing)
}

// pollPause returns the pause before the next question to the SFU, which has
// been away for the time away.
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
