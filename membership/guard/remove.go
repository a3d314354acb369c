package guard

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/internal/text"
)

// Reason is what led to a removal.
type Reason string

// The reasons.
const (
	ByJoin  Reason = "join"
	ByPush  Reason = "push"
	BySweep Reason = "sweep"
)

// remove ends a session, unless the answer that says so, to a question that began
// at asked, is too old, the brake holds, or the homeserver has pushed an event since:
// that has a question of its own.
func (g *Guard) remove(ctx context.Context, s session, why Reason, asked time.Time) {
	if time.Since(asked) > maxAge || g.changes.after(s.person, asked) {
		g.counts.unsettle()
		return
	}
	if !g.mayRemove(ctx, s.person, why) {
		g.counts.brakeHeld()
		return
	}
	if time.Since(asked) > maxAge { // it took long to know
		g.counts.unsettle()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sfuTime)
	defer cancel()
	if err := g.SFU.Remove(ctx, s.at, s.Identity); err != nil {
		g.counts.notRemoved()
		g.Log.Warn("membership: a participant who is not in the Matrix room could not be removed",
			"user", s.user.String(), "room", s.at, "identity", text.Clip(string(s.Identity), maxIdentityLog), "err", err)
		return
	}
	now := time.Now()
	g.kept.note(s.person, asked, now)
	g.counts.removed(why)
	stayed := "unknown"
	if !s.Since.IsZero() {
		stayed = max(0, now.Sub(s.Since)).Round(time.Millisecond).String()
	}
	g.Log.Info("membership: removed from the SFU, because not in the Matrix room",
		"user", s.user.String(), "room", s.at, "identity", text.Clip(string(s.Identity), maxIdentityLog), "by", why, "stayed", stayed)
}

// maxIdentityLog bounds what the log has of an identity, in bytes: clients choose
// the suffix.
const maxIdentityLog = 300

const (
	// maxRemovals within removalTime say that somebody comes back with an old
	// token again and again.
	maxRemovals = 3
	removalTime = time.Minute
	// keepNo is how long a no then holds for further removals.
	keepNo = 5 * time.Second
	// maxRefusals bounds the persons who are remembered for that.
	maxRefusals = 4096
)

// refusals remembers who was removed. The zero value is ready.
type refusals struct {
	mu sync.Mutex
	of map[person]*refusal
}

// refusal is what is remembered of one person.
type refusal struct {
	removed [maxRemovals]time.Time // the last first
	asked   time.Time              // the last no
}

// note remembers a removal by a no that was asked for at asked.
func (r *refusals) note(p person, asked, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[person]*refusal{}
	}
	of := r.of[p]
	if of == nil {
		r.makeRoom(now)
		of = &refusal{}
		r.of[p] = of
	}
	copy(of.removed[1:], of.removed[:])
	of.removed[0], of.asked = now, asked
}

// makeRoom forgets whom there is no reason to remember, or all.
func (r *refusals) makeRoom(now time.Time) {
	if len(r.of) < maxRefusals {
		return
	}
	for p, of := range r.of {
		if now.Sub(of.removed[0]) > removalTime {
			delete(r.of, p)
		}
	}
	if len(r.of) >= maxRefusals {
		clear(r.of)
	}
}

// refused returns when the no was asked for that holds for p now.
func (r *refusals) refused(p person, now time.Time) (asked time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.of[p]
	if of == nil || of.removed[maxRemovals-1].IsZero() || now.Sub(of.removed[maxRemovals-1]) > removalTime {
		return time.Time{}, false
	}
	return of.asked, now.Sub(of.asked) < keepNo
}

// forget lets no former no count for p.
func (r *refusals) forget(p person) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, p)
}
