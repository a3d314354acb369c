package guard

import (
	"context"
	"math/rand/v2"
	"time"

	"matrixrtc-auth/internal/timing"
)

const (
	// pushedInterval is the time between two sweeps while the homeserver pushes
	// events.
	pushedInterval = 10 * time.Minute
	// brakedInterval is the longest time between two sweeps while the brake stops
	// all removals. So the guard soon notices that the homeserver's answers have
	// recovered.
	brakedInterval = 30 * time.Second
	// looks is how many times in an interval this process checks whether it must
	// sweep. It must sweep if the replica that has swept until now has ended, or
	// if the brake holds. If the interval is longer than 30 s, the checks are as
	// frequent as with 30 s.
	looks = 6
	// firstSweep is the shortest time from the start to the first sweep.
	firstSweep = time.Second
)

// patrol sweeps whenever a sweep is due, until ctx ends.
func (g *Guard) patrol(ctx context.Context) {
	next := time.Now().Add(firstSweep)
	for timing.Sleep(ctx, min(time.Until(next), g.tick())) {
		if time.Now().Before(next) {
			continue
		}
		if !g.due(ctx) {
			next = time.Now().Add(g.jittered(g.tick()))
			continue
		}
		began := time.Now()
		g.sweep(ctx)
		next = g.after(ctx, began)
	}
}

// after waits until the next sweep is due, or until ctx ends. It returns the
// time at which that sweep is due. Its argument is the start of the last sweep.
// The due time can change during the wait, because the interval can change.
func (g *Guard) after(ctx context.Context, began time.Time) time.Time {
	share := float64(g.jittered(time.Second)) / float64(time.Second)
	for {
		g.braked(ctx) // another replica may have set the brake, so ask the board
		next := began.Add(time.Duration(float64(g.interval()) * share))
		wait := min(time.Until(next), g.tick())
		if wait <= 0 || !timing.Sleep(ctx, wait) {
			return next
		}
	}
}

// due reports whether this process must sweep now. If sweeps are switched off,
// it must sweep only while the brake stops all removals. Such a sweep finds out
// whether the brake may disengage. due always asks the board about the brake,
// because a replica that never sweeps learns only here that another replica has
// set the brake.
func (g *Guard) due(ctx context.Context) bool {
	if braked := g.braked(ctx); g.Interval == 0 && !braked {
		return false
	}
	mine := g.lease(ctx)
	g.counts.elsewhere(!mine)
	return mine
}

// lease reports whether this process is the replica that sweeps. While the
// board does not answer, every process sweeps. That is safe, because each
// removal is checked separately.
func (g *Guard) lease(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, boardTime)
	defer cancel()
	mine, err := g.Board.TakeSweep(ctx, g.Holder, g.interval()+g.interval()/4)
	return mine || err != nil
}

// shortest returns the configured time between two sweeps, or brakedInterval (30 s)
// if sweeps are off.
func (g *Guard) shortest() time.Duration {
	if g.Interval == 0 {
		return brakedInterval
	}
	return g.Interval
}

// tick returns the time after which the guard checks again whether a sweep is
// due.
func (g *Guard) tick() time.Duration { return min(g.shortest(), brakedInterval) / looks }

// interval returns the current time between two sweeps. Usually it is the field
// Interval, which is 30 s unless LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS is
// set. There are two exceptions:
//
//   - While the brake holds, the time is at most 30 s, even if Interval is 0
//     (no sweeps).
//   - While the homeserver pushes events to the only replica, the time is at
//     least 10 min.
func (g *Guard) interval() time.Duration {
	if g.brake.holds() && !g.Unbraked {
		return min(g.shortest(), brakedInterval)
	}
	// If webhooks and events can reach any replica, no replica knows whether
	// another replica has lost some.
	if g.Pushed != nil && !g.Shared && g.Pushed() && g.counts.settled() {
		return max(g.shortest(), pushedInterval)
	}
	return g.shortest()
}

func (g *Guard) jittered(d time.Duration) time.Duration {
	if g.Jitter != nil {
		return g.Jitter(d)
	}
	return d + time.Duration((rand.Float64()*2-1)*float64(d)/10)
}
