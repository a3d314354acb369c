package guard

import (
	"context"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Report records that the SFU has reported a join. It returns immediately. The
// error is always nil. If the queue is full, Report drops the join, and a sweep
// finds the session.
func (g *Guard) Report(_ context.Context, e sfu.Event) error {
	if e.Kind != sfu.KindJoined {
		return nil
	}
	g.counts.reports(true)
	s, standing := g.stand(e.Room, e.Participant())
	if standing != enforced {
		return nil
	}
	if _, kept := g.rooms.saw(s, time.Now()); !kept {
		g.counts.unsettle()
	}
	g.order(s.person, func(o *order) bool { return o.join(s) })
	return nil
}

// Changed records a pushed event of the homeserver: the membership of user in
// room may have changed. It returns immediately. If the guard knows no call of
// room, it orders no question.
func (g *Guard) Changed(room matrix.RoomID, user matrix.UserID) {
	g.Members.Forget(room, user)
	p := person{room, user}
	g.kept.forget(p)
	if g.Shared || len(g.rooms.of(room)) > 0 {
		g.changes.note(p, time.Now())
		g.order(p, func(o *order) bool { o.changed = true; return true })
	}
}

// Missed records that this service could not read an event that the homeserver
// has pushed. Only a sweep finds out what the event was about. So the next sweep
// begins after the usual time, not after the longer time that the guard waits
// while the homeserver pushes events (see interval).
func (g *Guard) Missed() { g.counts.unsettle() }

func (g *Guard) order(p person, add func(*order) bool) {
	g.init()
	if !g.orders.put(p, add) {
		g.counts.lost()
	}
}

// work carries out the orders in the queue until ctx ends. An order is a task
// to ask the homeserver whether a person is joined.
func (g *Guard) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.orders.ready:
			o := g.orders.take()
			g.carryOut(ctx, o)
			g.orders.done(o.person)
		}
	}
}

// carryOut asks the homeserver whether the person of an order is joined. If an
// earlier "no" still counts, it uses that answer and does not ask. After a "no",
// carryOut ends the person's sessions that began before the question, even
// second sessions ("identity#suffix").
func (g *Guard) carryOut(ctx context.Context, o *order) {
	seen := map[string]bool{} // the sids of the sessions that the person had before the question
	calls := map[sfu.Room]bool{}
	if o.changed {
		for _, s := range g.sessionsOf(ctx, o.person) {
			seen[s.Session], calls[s.at] = true, true
		}
	}
	for call := range o.joined {
		calls[call] = true
	}
	if len(calls) == 0 {
		return
	}
	asked, refused := g.kept.refused(o.person, time.Now())
	if !refused || o.changed || !g.older(o.issued, asked) {
		asked = time.Now()
		if joined, err := g.ask(ctx, o.person); joined || err != nil {
			return
		}
	}
	for call := range calls {
		sessions, _ := g.sessionsIn(ctx, call, o.person)
		for _, s := range sessions {
			switch {
			case began(s.Participant, o.joined[call]):
				g.remove(ctx, s, ByJoin, asked)
			case seen[s.Session]:
				g.remove(ctx, s, ByPush, asked)
			}
		}
	}
}

// clockSkew is how much the clocks of two replicas may differ.
const clockSkew = 30 * time.Second

// older reports whether a token was certainly issued before a question began.
// issued is the time in the token's ticket: whole seconds, by the clock of the
// replica that issued the token. asked is the time at which the question began.
func (g *Guard) older(issued, asked time.Time) bool {
	if g.Shared {
		issued = issued.Add(clockSkew)
	}
	return issued.Before(asked.Truncate(time.Second))
}

// began reports whether the session p began no later than the reported session.
// A session that began later has its own report.
func began(p, reported sfu.Participant) bool {
	return reported.Session != "" && (p.Session == reported.Session || !p.Since.IsZero() && !p.Since.After(reported.Since))
}

// sessionsOf returns the sessions of p that the guard may end. It looks into
// the LiveKit rooms in which the guard knows that p may be.
func (g *Guard) sessionsOf(ctx context.Context, p person) (all []session) {
	if g.Shared {
		g.listRooms(ctx)
	}
	for _, call := range g.rooms.of(p.room) {
		asked := time.Now()
		sessions, nobody := g.sessionsIn(ctx, call, p)
		if nobody {
			g.rooms.empty(p.room, call, asked)
		}
		all = append(all, sessions...)
	}
	return all
}

// listAge is how old the list of LiveKit rooms may be. A replica needs the list
// because LiveKit may have reported a join to another replica only.
const listAge = time.Second

func (g *Guard) listRooms(ctx context.Context) {
	g.listing.Lock()
	defer g.listing.Unlock()
	now := time.Now()
	if !g.rooms.stale(listAge, now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sfuTime)
	defer cancel()
	if rooms, err := g.SFU.ListRooms(ctx); err == nil {
		g.rooms.listed(rooms, now)
	}
}

// sessionsIn asks the SFU who is in a LiveKit room. It returns the sessions of p
// there that the guard may end. nobody is true if the guard may end no session
// there that belongs to p's Matrix room.
func (g *Guard) sessionsIn(ctx context.Context, call sfu.Room, p person) (of []session, nobody bool) {
	all, err := g.enforced(ctx, call)
	if err != nil {
		g.counts.unsettle()
		return nil, false
	}
	nobody = true
	for _, s := range all {
		if s.person == p {
			of = append(of, s)
		}
		nobody = nobody && s.room != p.room
	}
	return of, nobody
}

// enforced returns the sessions in a LiveKit room that the guard may end.
func (g *Guard) enforced(ctx context.Context, call sfu.Room) (all []session, err error) {
	ctx, cancel := context.WithTimeout(ctx, sfuTime)
	defer cancel()
	participants, err := g.SFU.Participants(ctx, call)
	for _, p := range participants {
		if s, standing := g.stand(call, p); standing == enforced {
			all = append(all, s)
		}
	}
	return all, err
}
