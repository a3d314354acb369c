package guard

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// pushedInterval is the time between sweeps while events are pushed.
	pushedInterval = 10 * time.Minute
	// brakedInterval is how often answers are looked at that may have recovered,
	// however seldom sweeps are otherwise.
	brakedInterval = 30 * time.Second
	// looks is how often in an interval, of 30 s at most, it is looked whether a
	// sweep is due here: the replica that sweeps may have ended, or the brake holds.
	looks = 6
	// firstSweep is how long after the start the first one may begin.
	firstSweep = time.Second
)

// patrol sweeps whenever that is due, until ctx ends.
func (g *Guard) patrol(ctx context.Context) {
	next := time.Now().Add(firstSweep)
	for sleep(ctx, min(time.Until(next), g.tick())) {
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

// after waits while the next sweep after one that began at began is not due, and
// may become due earlier. It returns when it is due.
func (g *Guard) after(ctx context.Context, began time.Time) time.Time {
	share := float64(g.jittered(time.Second)) / float64(time.Second)
	for {
		g.braked(ctx) // another replica may have set it
		next := began.Add(time.Duration(float64(g.interval()) * share))
		wait := min(time.Until(next), g.tick())
		if wait <= 0 || !sleep(ctx, wait) {
			return next
		}
	}
}

// due reports whether this process is to sweep. Where sweeps are off there is
// one only to see whether the brake lifts. A replica that never sweeps hears of
// the brake here, too.
func (g *Guard) due(ctx context.Context) bool {
	if braked := g.braked(ctx); g.Interval == 0 && !braked {
		return false
	}
	mine := g.lease(ctx)
	g.counts.elsewhere(!mine)
	return mine
}

// lease reports whether this process is the one that sweeps. While the board does
// not answer every one does: what a sweep removes is checked anyway.
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

// tick is the time between two looks.
func (g *Guard) tick() time.Duration { return min(g.shortest(), brakedInterval) / looks }

// interval is the time between two sweeps now.
func (g *Guard) interval() time.Duration {
	if g.brake.holds() && !g.Unbraked {
		return min(g.shortest(), brakedInterval)
	}
	// Where reports and events may go to any replica, none knows that the others
	// have lost nothing.
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
