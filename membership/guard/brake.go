package guard

import (
	"context"
	"maps"
	"sync"
	"time"
)

// brakeOver is part of the condition that engages the brake: more than
// brakeOver persons would be removed, and these are more than a third of the
// persons judged.
const brakeOver = 20

// maxDoubts is how many sweeps in a row may remove nobody because too few
// persons got an answer.
const maxDoubts = 2

// tooMany reports whether n persons out of all are too many to remove at once.
func tooMany(n, all int) bool { return n > brakeOver && 3*n > all }

// brake is this process's view of the brake. The zero value is ready.
type brake struct {
	mu     sync.Mutex
	on     bool // whether the brake holds, as the board last said
	since  time.Time
	judged int       // how many persons the last sweep or count judged
	at     time.Time // the time of that sweep or count
	// removed holds the persons who were removed, or would have been without the
	// brake. The value is the time of the last removal.
	removed map[person]time.Time
	// doubted holds the candidates (persons to be removed) of the last sweeps in a
	// row that removed nobody because too few persons got an answer. doubts is the
	// number of these sweeps.
	doubted map[person]bool
	doubts  int
}

// braked asks the board whether the brake holds. If the board does not answer,
// it returns the board's last answer. With LIVEKIT_MEMBERSHIP_BRAKE=off (Unbraked)
// the brake never holds.
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

// holds reports whether the brake holds, by the board's last answer.
func (b *brake) holds() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.on
}

// mayRemove reports whether p may be removed now. If too many persons are
// removed because of joins and pushed events, it engages the brake: a
// homeserver may lose its database while all clients of a conference reconnect.
func (g *Guard) mayRemove(ctx context.Context, p person, why Reason) bool {
	if g.braked(ctx) {
		return false
	}
	n, all := g.brake.add(p, time.Now())
	if g.Unbraked || why == BySweep || !tooMany(n, all) {
		return true
	}
	return g.mayGoOn(ctx)
}

// countTime bounds how long it may take to count the enforced persons. countAge
// is how old the counted number may be when it is used.
const (
	countTime = 2 * time.Second
	countAge  = time.Minute
)

// mayGoOn decides whether to remove more persons. It is called when there were
// many removals, compared to the number of persons that this process has judged
// lately. That number may be 0, if another replica sweeps or none does. So
// mayGoOn counts the enforced persons on the SFU. If there are too few for so
// many removals, or if the SFU does not answer, it engages the brake.
func (g *Guard) mayGoOn(ctx context.Context) bool {
	g.counting.Lock()
	defer g.counting.Unlock()
	if g.braked(ctx) {
		return false
	}
	n, all := g.brake.count(time.Now())
	if tooMany(n, all) {
		counting, cancel := context.WithTimeout(ctx, countTime)
		defer cancel()
		on, _ := g.look(counting, time.Now())
		n, all = g.brake.counted(on, time.Now())
	}
	if !tooMany(n, all) {
		return true
	}
	g.setBrake(ctx, true, n, all)
	return false
}

// count returns n, the number of persons who were removed within the last minute,
// and all, the number of enforced persons that are known.
func (b *brake) count(now time.Time) (n, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	return len(b.removed), b.lately(now)
}

// counted records which enforced persons are on the SFU. It adds the persons
// who were removed within the last minute, because the SFU may not have them
// any more.
func (b *brake) counted(on map[person][]session, now time.Time) (n, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all = len(on)
	for p := range b.removed {
		if _, still := on[p]; !still {
			all++
		}
	}
	b.judged, b.at = all, now
	return len(b.removed), all
}

// lately returns judged, or 0 if that number is too old to use.
func (b *brake) lately(now time.Time) int {
	if now.Sub(b.at) > countAge {
		return 0
	}
	return b.judged
}

// add records that p is removed at now. n is how many persons were removed
// within the last minute.
func (b *brake) add(p person, now time.Time) (n, judged int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.removed == nil {
		b.removed = map[person]time.Time{}
	}
	b.expire(now)
	b.removed[p] = now
	return len(b.removed), b.lately(now)
}

func (b *brake) expire(now time.Time) {
	for p, at := range b.removed {
		if now.Sub(at) > removalTime {
			delete(b.removed, p)
		}
	}
}

// setBrake sets whether the brake holds. It writes one log line if that
// changes.
func (g *Guard) setBrake(ctx context.Context, on bool, n, judged int) {
	before := g.braked(ctx)
	ctx, cancel := context.WithTimeout(ctx, boardTime)
	defer cancel()
	err := g.Board.SetBrake(ctx, on)
	if err != nil {
		g.Log.Warn("membership: the state of the brake could not be stored for other replicas or a restart", "on", on, "err", err)
	}
	g.brake.know(on, nil, time.Now())
	switch {
	case on && !before:
		g.Log.Error("membership: the homeserver says that too many participants are not in their rooms, so nobody is removed; "+
			"was it restored, or has it lost its database? LIVEKIT_MEMBERSHIP_BRAKE=off has them removed",
			"not_joined", n, "judged", judged)
	case !on && before:
		g.brake.reset()
		g.Log.Info("membership: the homeserver's answers have recovered; participants who are not joined are removed again",
			"not_joined", n, "judged", judged)
	}
}

func (b *brake) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.removed)
}

// swept updates the brake with the answers of a sweep, and reports whether the
// candidates may be removed.
//
// The brake disengages when the answers have recovered: most persons got an
// answer, and at least two thirds of the answers are yes. An empty SFU or a
// homeserver without answers is no recovery.
func (g *Guard) swept(ctx context.Context, h heard, candidates []candidate) bool {
	now := time.Now()
	g.brake.swept(h, now)
	judged := h.joined + h.refused
	switch {
	case g.Unbraked:
		return true
	case tooMany(h.candidates, judged), h.contradicted:
		g.setBrake(ctx, true, h.candidates, judged)
		return false
	case g.braked(ctx):
		recovered := h.joined > 0 && 3*h.refused <= judged && 3*h.unknown <= h.persons
		g.setBrake(ctx, !recovered, h.refused, judged) // set at every sweep, because the board's record of the brake expires
		return recovered
	}
	if n, all := g.brake.together(candidates, judged); len(candidates) > 0 && tooMany(n, all) {
		g.setBrake(ctx, true, n, all)
		return false
	}
	return !g.doubts(h, candidates)
}

func (b *brake) swept(h heard, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.judged, b.at = h.joined+h.refused, now
	b.expire(now)
}

// together returns two numbers. n counts the persons who are candidates, were
// removed within the last minute, or were candidates of the last doubtful
// sweeps. all counts these and the judged persons. It adds them up because a
// homeserver without its database may say no about some persons in one sweep,
// and about others in the next.
func (b *brake) together(candidates []candidate, judged int) (n, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := map[person]bool{}
	maps.Copy(before, b.doubted)
	for p := range b.removed {
		before[p] = true
	}
	for _, c := range candidates {
		delete(before, c.person)
	}
	return len(candidates) + len(before), judged + len(before)
}

// doubts reports whether a sweep must remove nobody because it got too few
// answers: the brake would engage if none of the persons without an answer were
// joined. A homeserver that has just started gives few answers.
func (g *Guard) doubts(h heard, candidates []candidate) bool {
	if !g.brake.doubt(h, candidates) {
		return false
	}
	g.Log.Warn("membership: this sweep removes nobody, because for too many persons the homeserver did not say whether they are joined",
		"not_joined", h.candidates, "joined", h.joined, "unknown", h.unknown)
	return true
}

func (b *brake) doubt(h heard, candidates []candidate) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	few := 3*h.candidates <= h.joined+h.refused || !tooMany(h.candidates+h.unknown, h.persons)
	if few || b.doubts >= maxDoubts {
		b.doubts, b.doubted = 0, nil
		return false
	}
	if b.doubted == nil {
		b.doubted = map[person]bool{}
	}
	for _, c := range candidates {
		b.doubted[c.person] = true
	}
	b.doubts++
	return true
}
