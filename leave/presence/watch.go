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
	// While the SFU is away, the service asks it again after these pauses. When the SFU
	// is back, the service must create the rooms before clients reconnect, because a
	// client gives up if its room is missing. Clients at first try several times a
	// second, so the first pauses are the shortest.
	pollAtFirst  = 20 * time.Millisecond  // while the SFU has been away for less than atFirst
	pollOutage   = 200 * time.Millisecond // while the SFU has been away for at least atFirst, and less than longGone
	pollLongGone = 5 * time.Second        // while the SFU has been away for at least longGone
	atFirst      = 10 * time.Second
	longGone     = time.Minute
)

// Away reports whether the SFU does not answer, as far as this process knows.
func (p *Presence) Away() bool {
	down, _ := p.outage.state()
	return down
}

// AwaySince returns the time at which the present outage of the SFU began. It reports
// false if the SFU is not away.
func (p *Presence) AwaySince() (time.Time, bool) {
	down, since := p.outage.state()
	return since, down
}

// BackSince returns the time at which the SFU came back. It returns the zero time if
// the SFU was never away, or is away now.
func (p *Presence) BackSince() time.Time {
	if down, since := p.outage.state(); !down {
		return since
	}
	return time.Time{}
}

// Outage returns how long, from now on, clients may still take to reconnect after an
// outage. It returns 0 if there was no outage, or if this time is over.
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

// Answers reports whether the SFU answers questions. If the SFU refuses our key,
// Answers reports false.
func (p *Presence) Answers() bool {
	p.outage.mu.Lock()
	defer p.outage.mu.Unlock()
	return !p.outage.down && !p.outage.unauthorized
}

// note records the result of a question to the SFU. A single question without an answer
// begins an outage. During an outage, /healthz says degraded. An answer of a proxy in
// place of LiveKit counts as no answer. If LiveKit itself answers with an error, no
// outage begins. A cancelled question shows nothing.
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

// Restore creates the rooms of an SFU that answers again after an outage. It returns
// how many rooms it could not create. If it could not do its work, it reports false,
// and the SFU still counts as away.
type Restore func(ctx context.Context) (missing int, ok bool)

// Run watches the SFU until ctx ends. After an outage, the SFU counts as back when it
// answers and restore has created its rooms again. The rooms must be created because an
// SFU without Redis loses them when it restarts. With auto_create off, a client whose
// room is missing gives up. Until the SFU is back, no participant counts as absent.
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

// tryBack creates the rooms of the SFU again, and records that the SFU is back. The
// argument since is the time at which the SFU went away.
func (p *Presence) tryBack(ctx context.Context, since time.Time, restore Restore) {
	missing, ok := restore(ctx)
	if !ok || missing > 0 && !p.pings(ctx) {
		return
	}
	p.outage.end(p.Clock.Now())
	p.Log.Info("leave: the SFU answers again", "after", p.Clock.Since(since).Round(time.Millisecond), "rooms_missing", missing)
}

// pollPause returns the pause before the next question to an SFU that is away. The
// argument is how long it has been away.
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
