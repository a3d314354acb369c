package guard

import (
	"context"
	"maps"
	"sync"
	"time"
)

// brakeOver is how many persons the guard may always remove within a minute.
// If it would remove more, and they are more than a third of the persons about
// whom the homeserver answered, the brake stops all removals.
const brakeOver = 20

// maxDoubts is how many sweeps in a row may remove nobody because the
// homeserver answered about too few persons.
const maxDoubts = 2

// tooMany reports whether the brake must stop the guard from removing n persons. The
// argument all is the number of persons with which n is compared, including these n
// persons (see brake.judged).
func tooMany(n, all int) bool { return n > brakeOver && 3*n > all }

// brake is what this process knows about the brake. While it holds, the
// guard removes nobody. The zero value is ready.
type brake struct {
	mu    sync.Mutex
	on    bool // whether the brake holds, according to the board's last answer
	since time.Time
	// judged is the number of persons with which the brake compares the number of
	// removals. A sweep sets it to the number of persons about whom the homeserver
	// answered. The method counted sets it to the number of persons on the SFU whom
	// the guard may remove, plus the removed persons who are no longer there.
	judged int
	at     time.Time // when judged was set
	// removed holds the persons whom the guard removed within the last minute,
	// or was about to remove when the brake began to hold. The value is the time of
	// the last removal.
	removed map[person]time.Time
	// doubted holds the persons whom the last doubtful sweeps would have
	// removed. A doubtful sweep removes nobody, because the homeserver
	// answered about too few persons. doubts is how many doubtful sweeps there
	// were in a row.
	doubted map[person]bool
	doubts  int
}

// braked reports whether the brake holds, which stops all removals. It asks
// the board, which all replicas share. If the board does not answer, braked
// returns the board's last answer. If Unbraked is set
// (LIVEKIT_MEMBERSHIP_BRAKE=off), the brake never holds.
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

// holds reports whether the brake keeps the guard from removing persons,
// according to the board's last answer.
func (b *brake) holds() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.on
}

// mayRemove reports whether the guard may remove p now. It engages the brake if
// joins and pushed events lead to too many removals. That can happen if a
// homeserver loses its database while all clients of a conference reconnect.
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

// countTime bounds how long the guard may take to count the persons on the SFU
// whom it may remove. countAge is how long the guard uses the counted number.
const (
	countTime = 2 * time.Second
	countAge  = time.Minute
)

// mayGoOn decides whether the guard may remove more persons after many
// removals. This process may know too few persons, for example because another
// replica sweeps. In that case mayGoOn counts the persons on the SFU whom the
// guard may remove. If they are too few for so many removals, or if the SFU
// does not answer, mayGoOn engages the brake.
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

// count returns two numbers. n is how many persons were removed within the
// last minute. all is the last known number of persons whom the guard may
// remove.
func (b *brake) count(now time.Time) (n, all int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	return len(b.removed), b.lately(now)
}

// counted records how many persons on the SFU the guard may remove. It returns
// two numbers. n is how many persons were removed within the last minute. all
// counts the persons on the SFU, and those removed persons who are not there
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

// lately returns the field judged: the number of persons with which the brake
// compares the number of removals. If judged was set longer than countAge ago,
// lately returns 0.
func (b *brake) lately(now time.Time) int {
	if now.Sub(b.at) > countAge {
		return 0
	}
	return b.judged
}

// add records that p is removed now. It returns two numbers. n is how many persons
// were removed within the last minute. judged is b.judged, the number with which the
// brake compares n. It is 0 if b.judged was set longer than countAge ago.
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

// setBrake engages the brake if on is true, and releases it otherwise. While the
// brake holds, the guard removes nobody. If this call sets or lifts the
// brake, setBrake writes a line to the log.
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
		g.Log.Info("membership: the homeserver's answers have recovered; the service resumes removing participants who are not joined",
			"not_joined", n, "judged", judged)
	}
}

func (b *brake) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.removed)
}

// swept updates the brake with the answers of a sweep, and reports whether the
// guard may remove the candidates, about whom the answer was "no".
//
// The brake disengages when the homeserver's answers have recovered:
//
//   - The homeserver answered about at least two thirds of the persons.
//   - At least two thirds of these answers are "yes".
//   - At least one answer is "yes". If nobody is on the SFU, there are no answers,
//     and they prove no recovery.
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
		g.setBrake(ctx, !recovered, h.refused, judged) // set at every sweep, because the stored state of the brake expires
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

// together returns two numbers, n and all, from which the brake judges whether the
// homeserver answered "no" about too many persons. A candidate is a person about
// whom the homeserver answered "no" to a sweep.
//
//   - n counts the candidates of this sweep, the candidates of the last
//     doubtful sweeps, and the persons removed within the last minute. Earlier
//     persons count, too, because a homeserver without its database may answer
//     "no" about different persons in each sweep.
//   - all counts the persons about whom this sweep got an answer, and those
//     persons in n who are no candidates of this sweep.
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

// doubts reports whether a sweep got too few answers to remove anybody. It
// assumes the worst case, that nobody without an answer is joined, and checks
// whether the brake would then engage. For example, a homeserver that has just
// started gives few answers.
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
