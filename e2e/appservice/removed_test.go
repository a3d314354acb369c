package appservice

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/participant"
)

const (
	// pushLimit is how long a user may stay on the SFU after the homeserver has pushed
	// that the user left the Matrix room. joinLimit is how long a user who is not in the
	// Matrix room may stay after joining with an old token.
	pushLimit = time.Second
	joinLimit = 1500 * time.Millisecond
)

// pushed is a deployment whose homeserver pushes events to the service. Users of this
// homeserver and of another homeserver are in one call.
type pushed struct {
	t             *testing.T
	first, second *side
	relay         *relay // forwards the homeserver's events to the service
	owner         *account.Account
	room          string
}

func newPushed(t *testing.T) *pushed {
	w := newWorld(t)
	p := &pushed{t: t, relay: &relay{}}
	p.second = newSide(t, w, "second", false, nil, quickly)
	p.first = deploy(t, w, "first", deployment{
		push: true, others: []*side{p.second}, additions: []string{quickly},
		through: func(service string) string { return p.relay.to(t, service) },
	})
	p.owner = p.first.register(t, "owner")
	p.room = callRoom(t, p.owner)
	return p
}

// user registers a new user at the homeserver of s, and makes them join the Matrix
// room.
func (p *pushed) user(t *testing.T, s *side, name string) *account.Account {
	t.Helper()
	a := s.register(t, name)
	act(t, p.owner, p.room, "invite", a)
	must(t, a.Join(within(t, time.Minute), p.room, p.first.name.String()))
	return a
}

// isRemoved checks that the service removed all sessions of the member soon after the
// push. The last removal must not be by a sweep.
func (p *pushed) isRemoved(t *testing.T, m *member, sessions ...*participant.Participant) {
	t.Helper()
	event := membershipOf(t, p.owner, p.room, m.UserID)
	var out time.Time
	for _, session := range append(sessions, m.session) {
		out = isOut(t, session, time.Minute)
	}
	arrived := p.relay.of(t, event.ID)
	t.Logf("%v: off the SFU %v after the event, which was pushed after %v", event.Content["membership"],
		out.Sub(time.UnixMilli(event.Time)).Round(time.Millisecond), arrived.Sub(time.UnixMilli(event.Time)).Round(time.Millisecond))
	if took := out.Sub(arrived); took > pushLimit {
		t.Errorf("off the SFU %v after the event was pushed, want %v at most", took, pushLimit)
	}
	var all []removal
	eventually(t, 10*time.Second, "the service logs the removal", func() bool {
		all = removals(t, m.UserID, p.first.service)
		return len(all) > len(sessions)
	})
	// If the user joined a moment ago, the service may remove them because of the join, and
	// not because of the push.
	if len(all) != len(sessions)+1 || all[len(all)-1].by == "sweep" {
		t.Errorf("removals: got %+v, want one of each session, and none by a sweep", all)
	}
}

// TestRemoved checks that the service removes a user who is no longer in the
// Matrix room, soon after the homeserver has pushed the event. With the old
// token, the user may return only for a moment, even after a restart of the
// service or of the SFU.
func TestRemoved(t *testing.T) {
	t.Parallel() // the test waits most of the time
	p := newPushed(t)
	for name, leave := range map[string]func(*account.Account){
		"ban":   func(a *account.Account) { act(t, p.owner, p.room, "ban", a) },
		"kick":  func(a *account.Account) { act(t, p.owner, p.room, "kick", a) },
		"leave": func(a *account.Account) { leavesRoom(t, a, p.room) },
	} {
		t.Run(name, func(t *testing.T) {
			m := p.first.enter(t, p.user(t, p.first, name), p.room)
			leave(m.Account)
			p.isRemoved(t, m)
			p.comesBack(t, m)
		})
	}
	t.Run("two sessions of one token", p.twoSessions)
	t.Run("remote users", p.remoteUsers)
	t.Run("restarts", p.restarts)
	t.Run("again and again", p.againAndAgain)
	t.Run("a delegated leave", p.delegated)
	t.Run("a room that is upgraded", p.upgraded)
	t.Run("membership given back", p.givenBack)
}

// comesBack makes a removed user join with the old token, and checks that the service
// removes them again.
func (p *pushed) comesBack(t *testing.T, m *member) {
	t.Helper()
	before := len(removals(t, m.UserID, p.first.service))
	session, err := participant.Join(within(t, time.Minute), p.first.sfu.URL(), m.token)
	if err == nil { // if the join failed, the service has already removed the user
		isOut(t, session, time.Minute)
	}
	var all []removal
	eventually(t, time.Minute, "the service removes who comes back", func() bool {
		all = removals(t, m.UserID, p.first.service)
		return len(all) > before
	})
	last := all[len(all)-1]
	t.Logf("the old token: on the SFU for %v", last.stayed)
	if len(all) != before+1 || last.by != "join" || last.stayed > joinLimit {
		t.Errorf("removals: got %+v, want one more, by join, after %v at most", all, joinLimit)
	}
}

// twoSessions bans a user who has two sessions on the SFU, both made with one token. The
// service must remove both. When a third session joins with this token, the service
// must remove it, too.
func (p *pushed) twoSessions(t *testing.T) {
	m := p.first.enter(t, p.user(t, p.first, "two"), p.room)
	second := m.beside("suffix")
	act(t, p.owner, p.room, "ban", m.Account)
	p.isRemoved(t, m, second)
	alone := m.beside("again")
	isOut(t, alone, time.Minute)
}

// remoteUsers checks that the service removes users of another homeserver. The result
// must not depend on which user bans them.
func (p *pushed) remoteUsers(t *testing.T) {
	moderator, one, two := p.user(t, p.second, "moderator"), p.user(t, p.second, "one"), p.user(t, p.second, "two")
	var power map[string]any
	path := "/_matrix/client/v3/rooms/" + url.PathEscape(p.room) + "/state/m.room.power_levels/"
	must(t, p.owner.Call(within(t, time.Minute), http.MethodGet, path, nil, &power))
	power["users"].(map[string]any)[moderator.UserID] = 50
	must(t, p.owner.Call(within(t, time.Minute), http.MethodPut, path, power, nil))

	byHomeserver, byOpenID := p.first.enter(t, one, p.room), p.first.enterByOpenID(t, two, p.room)
	act(t, p.owner, p.room, "ban", one)
	p.isRemoved(t, byHomeserver)
	p.comesBack(t, byHomeserver)
	eventually(t, time.Minute, "the remote moderator may ban", func() bool {
		err := moderator.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/v3/rooms/"+url.PathEscape(p.room)+"/ban",
			map[string]string{"user_id": two.UserID}, nil)
		return err == nil
	})
	isOut(t, byOpenID.session, time.Minute)
	p.isRemoved(t, byOpenID)
	p.comesBack(t, byOpenID)
}

// restarts checks that the old token admits a banned user only for a moment, even after
// a restart of the service and of the SFU. If a user is banned while the service is
// stopped, the service must remove them when it runs again.
func (p *pushed) restarts(t *testing.T) {
	m := p.first.enter(t, p.user(t, p.first, "restart"), p.room)
	absent := p.first.enter(t, p.user(t, p.first, "absent"), p.room)
	act(t, p.owner, p.room, "ban", m.Account)
	p.isRemoved(t, m)
	must(t, p.first.service.Stop())
	act(t, p.owner, p.room, "ban", absent.Account)
	must(t, p.first.service.Start(within(t, time.Minute)))
	back := time.Now()
	out := isOut(t, absent.session, time.Minute)
	t.Logf("banned while the service was away: off the SFU %v after it was back", out.Sub(back).Round(time.Millisecond))
	p.comesBack(t, m)

	must(t, p.first.sfu.Stop())
	must(t, p.first.sfu.Start(within(t, time.Minute)))
	stays := p.first.enter(t, p.owner, p.room) // this also creates the LiveKit room
	p.comesBack(t, m)
	areIn(t, "after the SFU's restart", stays)
	stays.session.Leave()
}

// againAndAgain makes a removed user join several times. Each time, the service must
// soon remove the user again.
func (p *pushed) againAndAgain(t *testing.T) {
	m := p.first.enter(t, p.user(t, p.first, "again"), p.room)
	act(t, p.owner, p.room, "ban", m.Account)
	p.isRemoved(t, m)
	for range 5 {
		p.comesBack(t, m)
	}
}

// delegated checks that in the end neither the service nor the homeserver has the leave
// of a removed user, and that clients see no member in the call. The homeserver may
// refuse to send the leave, because the user is no longer in the room.
func (p *pushed) delegated(t *testing.T) {
	a := p.user(t, p.first, "delegated")
	m := p.first.enter(t, a, p.room)
	key := "_" + a.UserID + "_phone"
	must(t, a.Call(within(t, time.Minute), http.MethodPut, "/_matrix/client/v3/rooms/"+url.PathEscape(p.room)+"/state/"+
		account.CallMember+"/"+url.PathEscape(key), map[string]string{"application": "m.call"}, nil))
	id := schedule(t, a, p.room, key)
	answer, _ := post(t, a, stable+"/delegate_delayed_leave", p.first.call(p.room, map[string]any{
		"member_id": "member-of-" + a.UserID, "delay_id": id,
	}))
	wants(t, "delegation", answer, http.StatusOK, "")
	if now := statusOf(t, p.first.service); now.leaves() != 1 {
		t.Fatalf("the service has the leaves %v, want one", now.Leaves.Jobs)
	}
	act(t, p.owner, p.room, "kick", a)
	p.isRemoved(t, m)
	eventually(t, time.Minute, "the service has no leave any more", func() bool { return statusOf(t, p.first.service).leaves() == 0 })
	if isPending(t, p.first, a, id) {
		t.Errorf("leave %s at the homeserver: got it pending, want it gone", id)
	}
	if in := p.inCall(t); len(in) != 0 {
		t.Errorf("members of the call are %v, want nobody", in)
	}
}

// inCall returns the users whom clients see as members of the call. These users are in
// the Matrix room, and their events say that they are in the call.
func (p *pushed) inCall(t *testing.T) (users []string) {
	t.Helper()
	events, err := p.owner.State(within(t, time.Minute), p.room)
	must(t, err)
	joined := map[string]bool{}
	for _, e := range events {
		if e.Type == "m.room.member" && e.Content["membership"] == "join" {
			joined[*e.StateKey] = true
		}
	}
	for _, e := range events {
		if e.Type == account.CallMember && len(e.Content) > 0 && joined[e.Sender] {
			users = append(users, e.Sender)
		}
	}
	return users
}

// upgraded checks that a member stays in the call when another Matrix room replaces the
// room of the call. The member must stay even if the homeserver pushes an event of
// their membership.
func (p *pushed) upgraded(t *testing.T) {
	m := p.first.enter(t, p.user(t, p.first, "upgraded"), p.room)
	must(t, p.owner.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/v3/rooms/"+url.PathEscape(p.room)+"/upgrade",
		map[string]string{"new_version": "11"}, nil))
	p.asks(t, "the service asks about who has another name", func() {
		must(t, m.Call(within(t, time.Minute), http.MethodPut, "/_matrix/client/v3/profile/"+url.PathEscape(m.UserID)+"/displayname",
			map[string]string{"displayname": "Upgraded"}, nil))
	})
	p.stays(t, m)
}

// stays makes the service check a member's membership again. The member must still be
// in the call afterwards, and the log must have no removal.
func (p *pushed) stays(t *testing.T, m *member) {
	t.Helper()
	p.isJudged(t, m)
	if all := removals(t, m.UserID, p.first.service); len(all) != 0 {
		t.Errorf("removals: got %+v, want none", all)
	}
}

// isJudged makes the service ask the homeserver whether m is joined. After the answer,
// m must still be in the call.
func (p *pushed) isJudged(t *testing.T, m *member) {
	t.Helper()
	var second *participant.Participant
	p.asks(t, "the service asks about who has joined", func() { second = m.beside("judged") })
	// A removal would follow the homeserver's answer within milliseconds, so it would
	// be visible in this list of participants.
	areIn(t, "who is joined", m)
	second.Leave()
}

// givenBack bans a user, unbans and invites them, and makes them join the Matrix room
// again. The user must then be able to join the call, with a new token and with the old
// one.
func (p *pushed) givenBack(t *testing.T) {
	a := p.user(t, p.first, "back")
	m := p.first.enter(t, a, p.room)
	act(t, p.owner, p.room, "ban", a)
	p.isRemoved(t, m)
	act(t, p.owner, p.room, "unban", a)
	act(t, p.owner, p.room, "invite", a)
	must(t, a.Join(within(t, time.Minute), p.room, p.first.name.String()))
	again := p.first.enter(t, a, p.room)
	_, err := again.session.PublishAudio()
	must(t, err)
	p.isJudged(t, again)
	again.session.Leave()
	old := p.first.enterWith(t, a, p.room, m.token)
	areIn(t, "the old token of who is joined again", old)
	if all := removals(t, a.UserID, p.first.service); len(all) != 1 {
		t.Errorf("removals: got %+v, want that of the ban alone", all)
	}
}
