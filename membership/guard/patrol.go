package guard

import (
	"context"
	"math/rand/v2"
	"time"

	"matrixrtc-auth/internal/timing"
)

const (
	// pushedInterval is the time between sweeps while the homeserver pushes
	// events.
	pushedInterval = 10 * time.Minute
	// brakedInterval is how often to check whether answers have recovered while
	// the brake holds, even if sweeps are rarer otherwise.
	brakedInterval = 30 * time.Second
	// looks is how often per interval, or per 30 s if that is shorter, this
	// process checks whether it must sweep: the replica that sweeps may have
	// ended, or the brake may hold.
	looks = 6
	// firstSweep is the time from the start to the first possible sweep.
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

// after waits until the next sweep is due. The last one began at began. The
// next one may become due earlier while after waits.
func (g *Guard) after(ctx context.Context, began time.Time) time.Time {
	share := float64(g.jittered(time.Second)) / float64(time.Second)
	for {
		g.braked(ctx) // another replica may have set the brake
		next := began.Add(time.Duration(float64(g.interval()) * share))
		wait := min(time.Until(next), g.tick())
		if wait <= 0 || !timing.Sleep(ctx, wait) {
			return next
		}
	}
}

// due reports whether this process must sweep. If sweeps are off, it only
// sweeps to check whether the brake may disengage. A replica that never sweeps
// learns the state of the brake here, too.
func (g *Guard) due(ctx context.Context) bool {
	if braked := g.braked(ctx); g.Interval == 0 && !braked {
		return false
	}
	mine := g.lease(ctx)
	g.counts.elsewhere(!mine)
	return mine
}

// lease reports whether this process is the replica that sweeps. While the
// board does not answer, every process sweeps. That is safe, because every
// removal is checked.
func (g *Guard) lease(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, boardTime)
	defer cancel()
	mine, err := g.Board.TakeSweep(ctx, g.Holder, g.interval()+g.interval()/4)
	return mine || err != nil
}

// shortest is the time between two sweeps while nothing makes it longer.
func (g *Guard) shortest() time.Duration {
	if g.Interval == 0 {
		return brakedInterval
	}
	return g.Interval
}

// tick is the time between two checks whether a sweep is due.
func (g *Guard) tick() time.Duration { return min(g.shortest(), brakedInterval) / looks }

// interval returns the current time between two sweeps: Interval, which is 30 s
// unless LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS is set, or a rarer one while
// the homeserver pushes events.
func (g *Guard) interval() time.Duration {
	if g.brake.holds() && !g.Unbraked {
		return min(g.shortest(), brakedInterval)
	}
	// If reports and events may reach any replica, none knows whether the others
	// have lost some.
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
