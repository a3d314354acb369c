package guard

import (
	"context"
	"sync"
	"time"
)

// The brake trips over more than brakeOver persons who are also more than a
// third of those who were judged.
const brakeOver = 20

// tooMany reports whether n persons of all are too many to be removed at once.
func tooMany(n, all int) bool { return n > brakeOver && 3*n > all }

// brake is what this process knows of the brake. The zero value is ready.
type brake struct {
	mu     sync.Mutex
	on     bool // as far as the board has said
	since  time.Time
	judged int // by the last sweep
	// removed are those whom joins and pushes have removed, or would have, with
	// the time of the last one.
	removed map[person]time.Time
}

// braked reports whether the brake holds. While the board does not answer, what
// it said last counts.
func (g *Guard) braked(ctx context.Context) bool {
	if g.Unbraked {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, boardTime)
	defer cancel()
	on, err := g.Board.Brake(ctx)
	return g.brake.know(on, err, time.Now())
}

func (b *brake) know(on bool, err error, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.on != on {
		b.on, b.since = on, now
	}
	return b.on
}

// mayRemove reports whether p may be removed now. One removal too many by joins
// and pushes trips the brake: a homeserver may lose its database while the
// clients of a whole conference reconnect.
func (g *Guard) mayRemove(ctx context.Context, p person, why Reason) bool {
	if g.braked(ctx) {
		return false
	}
	if g.Unbraked || why == BySweep {
		return true
	}
	n, all := g.brake.add(p, time.Now())
	if !tooMany(n, all) {
		return true
	}
	g.setBrake(ctx, true, n, all)
	return false
}

// add counts p among those removed within the last minute.
func (b *brake) add(p person, now time.Time) (n, judged int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.removed == nil {
		b.removed = map[person]time.Time{}
	}
	for other, at := range b.removed {
		if now.Sub(at) > removalTime {
			delete(b.removed, other)
		}
	}
	b.removed[p] = now
	return len(b.removed), b.judged
}

// setBrake has the brake hold or not, and says so once.
func (g *Guard) setBrake(ctx context.Context, on bool, n, judged int) {
	before := g.braked(ctx)
	ctx, cancel := context.WithTimeout(ctx, boardTime)
	defer cancel()
	err := g.Board.SetBrake(ctx, on)
	if err != nil {
		g.Log.Warn("membership: the replicas could not be told of the brake", "on", on, "err", err)
	}
	g.brake.know(on, nil, time.Now())
	switch {
	case on && !before:
		g.Log.Error("membership: the homeserver says that too many are not in their rooms, so nobody is removed; "+
			"was it restored, or has it lost its database? LIVEKIT_MEMBERSHIP_BRAKE=off has them removed",
			"not_joined", n, "judged", judged)
	case !on && before:
		g.brake.reset()
		g.Log.Info("membership: the homeserver's answers have recovered, and who is not joined is removed again",
			"not_joined", n, "judged", judged)
	}
}

func (b *brake) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.removed)
}

// swept tells the brake what a sweep has heard, and reports whether its
// candidates may be removed: with is how many enforced persons there are.
//
// The brake lifts when the answers have recovered: most have one, and at least
// two thirds of these are yes. Nobody on the SFU, or a silent homeserver, is no
// recovery.
func (g *Guard) swept(ctx context.Context, h heard) bool {
	judged := h.joined + h.refused
	g.brake.mu.Lock()
	g.brake.judged = judged
	g.brake.mu.Unlock()
	switch {
	case g.Unbraked:
		return true
	case tooMany(h.candidates, judged):
		g.setBrake(ctx, true, h.candidates, judged)
		return false
	case !g.braked(ctx):
		return true
	case h.joined > 0 && 3*h.refused <= judged && 3*h.unknown <= h.persons:
		g.setBrake(ctx, false, h.refused, judged)
		return true
	default:
		g.setBrake(ctx, true, h.refused, judged) // the board forgets it by and by
		return false
	}
}
