package guard

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/internal/text"
)

// Reason is the kind of event that caused a removal.
type Reason string

// The kinds of events that cause removals.
const (
	ByJoin  Reason = "join"
	ByPush  Reason = "push"
	BySweep Reason = "sweep"
)

// remove ends the session s, because the homeserver answered "no". The time
// asked is the start of the question. remove does nothing in three cases:
//
//   - The answer is too old.
//   - The brake holds.
//   - The homeserver has pushed an event about the person after the question.
//     The guard asks again after such an event.
func (g *Guard) remove(ctx context.Context, s session, why Reason, asked time.Time) {
	if time.Since(asked) > maxAge || g.changes.after(s.person, asked) {
		g.counts.unsettle()
		return
	}
	if !g.mayRemove(ctx, s.person, why) {
		g.counts.brakeHeld()
		return
	}
	if time.Since(asked) > maxAge { // mayRemove can take seconds
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
	g.Log.Info("membership: a participant was removed from the SFU, because they are not in the Matrix room",
		"user", s.user.String(), "room", s.at, "identity", text.Clip(string(s.Identity), maxIdentityLog), "by", why, "stayed", stayed)
}

// maxIdentityLog bounds the bytes of an identity that the log shows. Clients
// choose the end of their identity, and can make it long.
const maxIdentityLog = 300

const (
	// A person whom the guard removes maxRemovals times within removalTime
	// seems to return again and again with an old token.
	maxRemovals = 3
	removalTime = time.Minute
	// If a person returns again and again, the homeserver's answer that they are
	// not joined counts for the time keepNo. During this time, the guard removes
	// them without a new question.
	keepNo = 5 * time.Second
	// The guard remembers the persons whom it removed. maxRefusals bounds the
	// number of these persons.
	maxRefusals = 4096
)

// refusals records which persons the guard removed, so that it can remove those who
// come back again and again without a new question. The zero value is ready.
type refusals struct {
	mu sync.Mutex
	of map[person]*refusal
}

// refusal records the removals of one person.
type refusal struct {
	removed [maxRemovals]time.Time // the times of the last removals, the newest first
	asked   time.Time              // when the last question with the answer "no" began
}

// note records that the guard removed p at the time now, because the homeserver
// answered "no". The parameter asked is the time when that question began.
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

// makeRoom makes space for one more person, if there is none. It drops the
// persons whose last removal is longer ago than removalTime. If that is not
// enough, it drops all.
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

// refused returns the start of the last question about p that was answered
// "no". ok is false if its answer counts no longer, or if the guard has not removed
// p maxRemovals times within removalTime.
func (r *refusals) refused(p person, now time.Time) (asked time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.of[p]
	if of == nil || of.removed[maxRemovals-1].IsZero() || now.Sub(of.removed[maxRemovals-1]) > removalTime {
		return time.Time{}, false
	}
	return of.asked, now.Sub(of.asked) < keepNo
}

// forget drops the record of p's removals. After that, refused returns false
// for p until the guard has removed p maxRemovals times again.
func (r *refusals) forget(p person) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, p)
}
