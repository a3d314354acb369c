package guard

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

const (
	// chunk is how many persons a sweep asks about before it asks a second time
	// about those who are not joined. It is small, so that the second question
	// comes within 5 s of the first. The second question can come later if the
	// homeserver takes more than 1.5 s to answer.
	chunk = 50
	// apart is the least time between the first and the second question about a
	// person.
	apart = 2 * time.Second
	// asking bounds how many questions of a sweep run at the same time. It also
	// bounds a sweep's calls of the SFU in the same way.
	asking = 16
	// silence is the number of persons after which a sweep gives up, if the
	// homeserver has answered no question about them.
	silence = 32
)

// candidate is a person whom the guard may remove, because the homeserver
// answered "no" about them twice.
type candidate struct {
	person
	sessions []session
	asked    time.Time // when the last question about the person began
}

// heard is the result of a sweep's questions. Its fields count persons. unseen
// counts the persons about whom the homeserver cannot be asked, because the guard's
// account is not in their Matrix room. The other fields do not count those persons.
type heard struct {
	unseen                                        int
	persons, joined, refused, unknown, candidates int
	// contradicted says that the homeserver answered first "yes" and then "no"
	// about too many persons.
	contradicted bool
}

// sweep asks the homeserver about all persons on the SFU whom the guard may remove
// (enforced persons). It removes from the SFU those who are not joined.
func (g *Guard) sweep(ctx context.Context) {
	began := time.Now()
	g.counts.began(began)
	on, whole := g.look(ctx, began)
	if on == nil || ctx.Err() != nil {
		return
	}
	questions := g.questions(slices.Collect(maps.Keys(on)))
	g.counts.expect(time.Duration(len(questions)) * spacing)
	refused, h := g.askAll(ctx, on, questions)
	present := g.present(ctx, refused)
	h.candidates = len(present)
	h.contradicted = len(present) > brakeOver && g.contradicts(ctx, on, refused)
	if ctx.Err() != nil {
		return
	}
	if g.swept(ctx, h, present) && g.Interval > 0 {
		each(ctx, present, func(c candidate) { g.end(ctx, c) })
		each(ctx, refused, func(c candidate) { g.follow(ctx, c) })
	}
	if whole {
		g.rooms.swept(began)
	}
	g.counts.ended(began, time.Now(), h, whole && h.unknown == 0)
}

// look lists the sessions on the SFU that the guard may end (enforced
// sessions), by person. It returns nil if the SFU does not answer. If the SFU
// cannot list the participants of a room, look leaves that room out, and whole
// is false.
func (g *Guard) look(ctx context.Context, now time.Time) (on map[person][]session, whole bool) {
	listing, cancel := context.WithTimeout(ctx, sfuTime)
	defer cancel()
	calls, err := g.SFU.ListRooms(listing)
	if err != nil {
		g.Log.Debug("membership: the SFU does not say which rooms it has", "err", err)
		g.counts.unsettle()
		return nil, false
	}
	g.rooms.listed(calls, now)
	var mu sync.Mutex
	on, whole = map[person][]session{}, true
	var seen census
	each(ctx, calls, func(call sfu.Room) {
		asking, cancel := context.WithTimeout(ctx, sfuTime)
		defer cancel()
		participants, err := g.SFU.Participants(asking, call)
		mu.Lock()
		defer mu.Unlock()
		whole = whole && err == nil
		for _, p := range participants {
			s, standing := g.stand(call, p)
			seen[standing]++
			if standing == enforced {
				on[s.person] = append(on[s.person], s)
				if known, _ := g.rooms.saw(s, now); !known {
					g.counts.reports(false) // this process got no report of the session
				}
			}
		}
	})
	g.counts.saw(seen)
	return on, whole && ctx.Err() == nil
}

// askAll asks the questions in chunks. It returns the persons about whom the
// homeserver answered "no" twice, and counts all answers.
func (g *Guard) askAll(ctx context.Context, on map[person][]session, questions []question) (refused []candidate, h heard) {
	for part := range chunks(questions) {
		if !g.lease(ctx) {
			continue // another replica sweeps now, and asks the same questions
		}
		first := g.askEach(ctx, part)
		h.joined, h.unseen = h.joined+first.joined, h.unseen+first.unseen
		if first.silent {
			break // the next sweep asks about the remaining persons
		}
		if len(first.refused) == 0 {
			continue
		}
		second := g.askEach(ctx, again(first.refused))
		if ctx.Err() != nil {
			return nil, h
		}
		h.joined, h.unseen = h.joined+second.joined, h.unseen+second.unseen
		for _, q := range second.refused {
			h.refused += len(q.users)
			for _, p := range q.persons() {
				refused = append(refused, candidate{p, on[p], q.at})
			}
		}
	}
	h.persons = len(on) - h.unseen
	h.unknown = h.persons - h.joined - h.refused
	return refused, h
}

// contradicts asks again about some persons about whom the homeserver did not
// answer "no" in this sweep. It reports whether more than a third of the new
// answers are "no". The guard calls contradicts before it removes many persons,
// because the homeserver may have lost its database during the sweep.
func (g *Guard) contradicts(ctx context.Context, on map[person][]session, refused []candidate) bool {
	others := maps.Clone(on)
	for _, c := range refused {
		delete(others, c.person)
	}
	some := slices.Collect(maps.Keys(others)) // in random order
	now := g.askEach(ctx, g.questions(some[:min(len(some), 2*brakeOver)]))
	refusals := 0
	for _, q := range now.refused {
		refusals += len(q.users)
	}
	return 3*refusals > now.joined+refusals
}

// present returns the candidates who are still on the SFU, with their sessions.
// If a node dies, the SFU's records of its sessions stay. So present asks the SFU
// whether a node holds each session. If the answer is no, it drops the session.
// If there is no clear answer, it keeps the session.
func (g *Guard) present(ctx context.Context, all []candidate) (present []candidate) {
	var mu sync.Mutex
	each(ctx, all, func(c candidate) {
		c.sessions = slices.DeleteFunc(slices.Clone(c.sessions), func(s session) bool {
			ctx, cancel := context.WithTimeout(ctx, sfuTime)
			defer cancel()
			reachable, err := g.SFU.Reachable(ctx, s.at, s.Identity)
			return err == nil && !reachable
		})
		mu.Lock()
		defer mu.Unlock()
		if len(c.sessions) > 0 {
			present = append(present, c)
		}
	})
	return present
}

// end removes the sessions of c, a person whom the guard may remove, from the
// SFU. It removes only sessions that the sweep saw before it asked the homeserver
// about the person. If the homeserver's last answer about the person is old, end
// first asks again.
func (g *Guard) end(ctx context.Context, c candidate) {
	if time.Since(c.asked) > maxAge-time.Second {
		g.pace.wait(ctx)
		c.asked = time.Now()
		if joined, err := g.ask(ctx, c.person); joined || err != nil {
			return
		}
	}
	judged := map[sfu.Room][]string{}
	for _, s := range c.sessions {
		judged[s.at] = append(judged[s.at], s.Session)
	}
	for call, sids := range judged {
		sessions, _ := g.sessionsIn(ctx, call, c.person)
		for _, s := range sessions {
			if slices.Contains(sids, s.Session) {
				g.remove(ctx, s, BySweep, c.asked)
			}
		}
	}
}

// follow orders a new question about a candidate who has a session that the
// sweep has not seen. Otherwise a person could avoid removal by reconnecting
// again and again, if LiveKit does not report the new sessions.
func (g *Guard) follow(ctx context.Context, c candidate) {
	judged, calls := map[string]bool{}, map[sfu.Room]bool{}
	for _, s := range c.sessions {
		judged[s.Session], calls[s.at] = true, true
	}
	for _, call := range g.rooms.of(c.room) {
		calls[call] = true
	}
	for call := range calls {
		sessions, _ := g.sessionsIn(ctx, call, c.person)
		for _, s := range sessions {
			if !judged[s.Session] {
				g.order(s.person, func(o *order) bool { return o.join(s) })
			}
		}
	}
}

// each calls the function do for every element of list, until ctx ends. It
// makes up to 16 calls (asking) at the same time.
func each[T any](ctx context.Context, list []T, do func(T)) {
	var running sync.WaitGroup
	places := make(chan struct{}, asking)
	for _, one := range list {
		select {
		case <-ctx.Done():
			running.Wait()
			return
		case places <- struct{}{}:
		}
		running.Go(func() {
			defer func() { <-places }()
			do(one)
		})
	}
	running.Wait()
}

// pacer limits the rate of a sweep's questions.
type pacer struct {
	mu   sync.Mutex
	next time.Time
}

// spacing is the time between two questions of a sweep to the homeserver.
const spacing = time.Second / 50

// wait waits until the caller may ask its question, or until ctx ends.
func (p *pacer) wait(ctx context.Context) {
	p.mu.Lock()
	now := time.Now()
	turn := p.next
	if turn.Before(now) {
		turn = now
	}
	p.next = turn.Add(spacing)
	p.mu.Unlock()
	timing.Sleep(ctx, time.Until(turn))
}
