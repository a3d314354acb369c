package handler

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

const (
	hsToken   = "the-hs-token-of-the-registration-file"
	ourSFU    = "wss://sfu.example.org"
	aRoom     = "!room:example.org"
	clientAPI = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit"
	fedAPI    = "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit"
)

// members says who is joined: "room who" for a user or a server. err, if set, is
// the answer to every question.
type members struct {
	joined map[string]bool
	err    error
	asked  []string
}

func (m *members) IsJoined(_ context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return m.ask(room.String() + " " + user.String())
}

func (m *members) IsServerJoined(_ context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return m.ask(room.String() + " " + server.String())
}

func (m *members) ask(question string) (bool, error) {
	m.asked = append(m.asked, question)
	return m.joined[question], m.err
}

// remote is another homeserver, behind ours.
type remote struct {
	answer string
	err    error
	server matrix.ServerName // that was asked
	body   string
}

func (r *remote) RemoteToken(_ context.Context, server matrix.ServerName, request json.RawMessage) (json.RawMessage, error) {
	r.server, r.body = server, string(request)
	return json.RawMessage(r.answer), r.err
}

// proxied is a rig at which example.org has the service registered. Alice and a
// user of remote.example are in aRoom.
type proxied struct {
	*delegating
	members *members
	remote  *remote
	events  []MemberEvent
	missed  atomic.Int32 // transactions that were not read to their end
}

func newProxied(t testing.TB) *proxied {
	p := &proxied{delegating: newDelegating(t), members: &members{joined: map[string]bool{
		aRoom + " " + alice: true, aRoom + " " + mallory: true, aRoom + " " + stranger: true,
	}}, remote: &remote{answer: `{"jwt":"theirs"}`}}
	p.Membership, p.Remote = p.members, p.remote
	p.AppService = &AppService{
		HSToken: secret.New(hsToken), Server: parseServer(t, homeserver), IsSFU: OneOf(ourSFU, "wss://old.example.org"),
		Members: func(e MemberEvent) { p.events = append(p.events, e) },
		Missed:  func() { p.missed.Add(1) },
	}
	return p
}

// client sends a request of user as the homeserver proxies it; edits are changes
// of the body, pairs of old and new.
func (p *proxied) client(path, user, body string) *httptest.ResponseRecorder {
	return p.serve("POST", clientAPI+path, body, "Authorization", "Bearer "+hsToken, "X-Matrix-User-Identifier", user)
}

func (p *proxied) federation(origin, body string) *httptest.ResponseRecorder {
	return p.serve("POST", fedAPI+"/get_token", body, "Authorization", "Bearer "+hsToken, "X-Matrix-Origin", origin)
}

const (
	newerBody = `{"url":"wss://sfu.example.org","room_id":"!room:example.org","slot_id":"m.call#ROOM","member_id":"m1"}`
	olderBody = `{"url":"wss://sfu.example.org","room_id":"!room:example.org","slot_id":"m.call#ROOM","member":{"id":"m1","claimed_device_id":"DEVICE"},"delay_timeout":8000}`
)

func federated(user string) string { return with(newerBody, `"user_id":"`+user+`"`) }

func identityOf(t *testing.T, older bool) sfu.Identity {
	t.Helper()
	user, err1 := matrix.ParseUserID(alice)
	member, err2 := matrix.ParseMemberID("m1")
	device, err3 := matrix.ParseDeviceID("DEVICE")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if older {
		return token.MemberIdentity(user, device, member)
	}
	return token.ProxiedIdentity(user, member)
}

func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), body) {
		t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, status, body)
	}
}

// TestProxiedTokens: both generations of bodies, under both paths.
func TestProxiedTokens(t *testing.T) {
	for name, older := range map[string]bool{"newer": false, "older": true} {
		for _, prefix := range clientPrefixes {
			t.Run(name+" "+prefix, func(t *testing.T) {
				p := newProxied(t)
				body := newerBody
				if older {
					body = olderBody
				}
				w := p.serve("POST", prefix+"/get_token", body, "Authorization", "Bearer "+hsToken, "X-Matrix-User-Identifier", alice)
				if want := `{"jwt":"header.payload.signature"}`; w.Code != 200 || w.Body.String() != want {
					t.Errorf("got %d %s, want 200 %s", w.Code, w.Body, want)
				}
				g := p.grants.last
				if g.Identity != identityOf(t, older) || !g.CanPublish || len(p.rooms.rooms) != 1 || p.rooms.rooms[0] != g.Room {
					t.Errorf("got %+v and rooms %q, want the identity %s, to publish, and the room made", g, p.rooms.rooms, identityOf(t, older))
				}
				if log := p.log.String(); !strings.Contains(log, "via=homeserver") || !strings.Contains(log, "user="+alice) || strings.Contains(log, hsToken) {
					t.Errorf("the log has %s", log)
				}
			})
		}
	}
}

// TestFullAccessDoesNotMatter: the homeserver's own users get all, also when
// only others are listed.
func TestProxiedUsersNeedNoList(t *testing.T) {
	p := newProxied(t)
	p.FullAccess = func(matrix.ServerName) bool { return false }
	p.CanPublish = p.FullAccess
	wantAnswer(t, p.client("/get_token", alice, newerBody), 200, "jwt")
	if len(p.rooms.rooms) != 1 || !p.grants.last.CanPublish {
		t.Errorf("rooms %q, %+v", p.rooms.rooms, p.grants.last)
	}
}

// TestTheHomeserverMustProveItself: before anything of the body is read, and
// without an errcode that logs a client out or says "not served".
func TestTheHomeserverMustProveItself(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers []string
		cause   string
	}{
		{"no token", []string{"X-Matrix-User-Identifier", alice, "X-Matrix-Origin", stranger}, "hs_token_missing"},
		{"empty token", []string{"Authorization", "Bearer ", "X-Matrix-User-Identifier", alice}, "hs_token_missing"},
		{"no Bearer", []string{"Authorization", hsToken, "X-Matrix-User-Identifier", alice}, "hs_token_missing"},
		{"wrong token", []string{"Authorization", "Bearer " + hsToken + "x", "X-Matrix-User-Identifier", alice, "X-Matrix-Origin", stranger}, "hs_token_wrong"},
		{"no caller", []string{"Authorization", "Bearer " + hsToken}, "no_caller_header"},
	} {
		for _, path := range []string{clientAPI + "/get_token", clientAPI + "/delegate_delayed_leave", clientAPI + "/self-test/x", fedAPI + "/get_token"} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				p := newProxied(t)
				w := p.serve("POST", path, "not JSON", tt.headers...)
				wantAnswer(t, w, 403, `{"errcode":"M_FORBIDDEN","error":"Forbidden"}`)
				if !strings.Contains(p.log.String(), "cause="+tt.cause) || strings.Contains(p.log.String(), hsToken) {
					t.Errorf("the log has %s, want the cause %s and no token", p.log, tt.cause)
				}
			})
		}
	}
}

// TestProxiedRequestsThatAreRefused has every row of errors.
func TestProxiedRequestsThatAreRefused(t *testing.T) {
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(newerBody) }
	for _, tt := range []struct {
		name, user, body string
		status           int
		answer, cause    string
	}{
		{"not JSON", alice, "{", 400, "M_NOT_JSON", "not_json"},
		{"no room", alice, edit("room_id", "room"), 400, "M_BAD_JSON", "bad_json"},
		{"no url", alice, edit(`"url"`, `"uri"`), 400, "M_BAD_JSON", "bad_json"},
		{"no member", alice, edit("member_id", "mem"), 400, "M_BAD_JSON", "bad_json"},
		{"member without device", alice, strings.Replace(olderBody, "claimed_device_id", "x", 1), 400, "M_BAD_JSON", "bad_json"},
		{"another SFU", alice, edit("sfu.example", "other.example"), 400, "M_INVALID_PARAM", "url_mismatch"},
		{"a user that is none", "alice", newerBody, 400, "M_INVALID_PARAM", "bad_user"},
		{"a user of another server", mallory, newerBody, 400, "M_INVALID_PARAM", "foreign_user"},
		{"another user claimed", alice, strings.Replace(olderBody, `"id"`, `"claimed_user_id":"@bob:example.org","id"`, 1), 400, "M_INVALID_PARAM", "claimed_user"},
		{"not joined", "@bob:" + homeserver, newerBody, 403, "M_FORBIDDEN", "not_joined"},
		{"unknown room", alice, edit("!room", "!other"), 403, "M_FORBIDDEN", "not_joined"},
		{"a server name that is none", alice, with(newerBody, `"server_name":"a/b"`), 400, "M_INVALID_PARAM", "bad_server_name"},
		{"a server that is not in the room", alice, with(newerBody, `"server_name":"other.example"`), 403, "M_FORBIDDEN", "not_joined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxied(t)
			wantAnswer(t, p.client("/get_token", tt.user, tt.body), tt.status, tt.answer)
			if !strings.Contains(p.log.String(), "cause="+tt.cause) || len(p.rooms.rooms) > 0 || p.remote.body != "" {
				t.Errorf("log %s, rooms %q, remote %q; want the cause %s, and nothing done", p.log, p.rooms.rooms, p.remote.body, tt.cause)
			}
		})
	}
}

// TestNothingTellsWhatExists: a stranger in a room and an unknown room cost one
// question each and get the same bytes.
func TestNothingTellsWhatExists(t *testing.T) {
	p := newProxied(t)
	stranger := p.client("/get_token", "@bob:"+homeserver, newerBody)
	unknown := p.client("/get_token", alice, strings.Replace(newerBody, "!room", "!other", 1))
	if stranger.Body.String() != unknown.Body.String() || stranger.Code != unknown.Code || len(p.members.asked) != 2 {
		t.Errorf("got %d %s and %d %s after %q", stranger.Code, stranger.Body, unknown.Code, unknown.Body, p.members.asked)
	}
}

// TestUnknownMembershipFailsClosed: no answer lets nobody in.
func TestUnknownMembershipFailsClosed(t *testing.T) {
	p := newProxied(t)
	p.members.err = errors.New("status 500")
	for name, w := range map[string]*httptest.ResponseRecorder{
		"token": p.client("/get_token", alice, newerBody), "federation": p.federation(stranger, federated(mallory)),
		"delegation": p.client("/delegate_delayed_leave", alice, with(newerBody, `"delay_id":"d"`)),
	} {
		t.Run(name, func(t *testing.T) { wantAnswer(t, w, 502, "M_UNKNOWN") })
	}
	if len(p.rooms.rooms) > 0 || len(p.keeper.jobs) > 0 {
		t.Errorf("rooms %q and jobs %v", p.rooms.rooms, p.keeper.jobs)
	}
}

// TestRemoteTokens: the request goes to the other server as it came, with the
// user's name, and of the answers only two are passed on.
func TestRemoteTokens(t *testing.T) {
	ask := func(p *proxied, body string) *httptest.ResponseRecorder {
		body = strings.Replace(body, "sfu.example.org", "sfu.remote.example", 1)
		return p.client("/get_token", alice, with(body, `"server_name":"`+stranger+`"`))
	}
	for name, tt := range map[string]struct{ body, sent string }{
		"newer": {newerBody, `{"member_id":"m1","room_id":"!room:example.org","slot_id":"m.call#ROOM","url":"wss://sfu.remote.example","user_id":"@alice:example.org"}`},
		"older": {olderBody, `{"member":{"id":"m1","claimed_device_id":"DEVICE"},"room_id":"!room:example.org","slot_id":"m.call#ROOM","url":"wss://sfu.remote.example","user_id":"@alice:example.org"}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxied(t)
			wantAnswer(t, ask(p, tt.body), 200, `{"jwt":"theirs"}`)
			if p.remote.server.String() != stranger || p.remote.body != tt.sent || len(p.rooms.rooms) > 0 {
				t.Errorf("%s was sent %s, want %s; rooms %q", p.remote.server, p.remote.body, tt.sent, p.rooms.rooms)
			}
		})
	}
	refused := func(status int) error { return &matrix.RemoteError{Status: status, Err: errors.New("x")} }
	for _, tt := range []struct {
		name    string
		content string
		err     error
		status  int
		errcode string
	}{
		{"forbidden", "", refused(403), 403, "M_FORBIDDEN"},
		{"invalid", "", refused(400), 400, "M_INVALID_PARAM"},
		{"not found", "", refused(404), 502, "M_UNKNOWN"},
		{"limited", "", refused(429), 502, "M_UNKNOWN"},
		{"logged out", "", refused(401), 502, "M_UNKNOWN"},
		{"trouble", "", refused(500), 502, "M_UNKNOWN"},
		{"away", "", refused(0), 502, "M_UNKNOWN"},
		{"no token", `{}`, nil, 502, "M_UNKNOWN"},
		{"another document", `[]`, nil, 502, "M_UNKNOWN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxied(t)
			p.remote.answer, p.remote.err = tt.content, tt.err
			wantAnswer(t, ask(p, newerBody), tt.status, tt.errcode)
		})
	}
}

// TestOwnNameIsLocal: an empty server_name, too.
func TestOwnNameIsLocal(t *testing.T) {
	for _, name := range []string{"", homeserver} {
		p := newProxied(t)
		wantAnswer(t, p.client("/get_token", alice, with(newerBody, `"server_name":"`+name+`"`)), 200, "header.payload.signature")
		if p.remote.body != "" {
			t.Errorf("%q: another homeserver was asked", name)
		}
	}
}

func TestFederatedTokens(t *testing.T) {
	for _, prefix := range federationPrefixes {
		p := newProxied(t)
		w := p.serve("POST", prefix+"/get_token", federated(mallory), "Authorization", "Bearer "+hsToken, "X-Matrix-Origin", stranger)
		wantAnswer(t, w, 200, `{"jwt":"header.payload.signature"}`)
		if len(p.rooms.rooms) != 1 || !p.grants.last.CanPublish || len(p.members.asked) != 1 {
			t.Errorf("rooms %q, %+v, asked %q; want the room made, to publish, one question", p.rooms.rooms, p.grants.last, p.members.asked)
		}
		if log := p.log.String(); !strings.Contains(log, "via=federation") || !strings.Contains(log, "origin="+stranger) {
			t.Errorf("the log has %s", log)
		}
	}
	p := newProxied(t)
	p.CanPublish = func(matrix.ServerName) bool { return false }
	wantAnswer(t, p.federation(stranger, federated(mallory)), 200, "jwt")
	if p.grants.last.CanPublish {
		t.Error("a user of a server that may not publish may")
	}
	for name, tt := range map[string]struct {
		origin, user, body string
		status             int
		errcode            string
	}{
		"another server's user":  {"other.example", mallory, "", 403, "M_FORBIDDEN"},
		"not joined":             {stranger, "@eve:" + stranger, "", 403, "M_FORBIDDEN"},
		"another SFU":            {stranger, mallory, strings.Replace(newerBody, "sfu.", "x.", 1), 400, "M_INVALID_PARAM"},
		"no user":                {stranger, "", newerBody, 400, "M_BAD_JSON"},
		"an origin that is none": {"a/b", mallory, "", 403, "M_FORBIDDEN"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxied(t)
			body := tt.body
			switch {
			case body == "":
				body = federated(tt.user)
			case tt.user != "":
				body = with(body, `"user_id":"`+tt.user+`"`)
			}
			wantAnswer(t, p.federation(tt.origin, body), tt.status, tt.errcode)
		})
	}
}

// TestOriginsWaitBeforeTheyAreRefused: a homeserver repeats a 429 four times.
func TestOriginsWaitBeforeTheyAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProxied(t)
		p.Origins = ratelimit.New[matrix.ServerName](ratelimit.Limit{PerMinute: 60, Burst: 1})
		for i, want := range []time.Duration{0, time.Second} {
			start := time.Now()
			wantAnswer(t, p.federation(stranger, federated(mallory)), 200, "jwt")
			if took := time.Since(start); took != want {
				t.Errorf("request %d took %v, want %v", i, took, want)
			}
		}
		p.Origins = ratelimit.New[matrix.ServerName](ratelimit.Limit{PerMinute: 10, Burst: 1})
		wantAnswer(t, p.federation(stranger, federated(mallory)), 200, "jwt")
		start := time.Now()
		w := p.federation(stranger, federated(mallory))
		wantAnswer(t, w, 429, "M_LIMIT_EXCEEDED")
		if took := time.Since(start); took > 2*time.Second || w.Header().Get("Retry-After") == "" {
			t.Errorf("429 after %v with Retry-After %q", took, w.Header().Get("Retry-After"))
		}
	})
}

func TestProxiedDelegation(t *testing.T) {
	event := matrix.DelayedEvent{Room: aRoom, Delay: time.Hour}
	fail := func(result matrix.Result) error { return &matrix.DelayError{Result: result, Err: errors.New("x")} }
	for _, tt := range []struct {
		name    string
		change  func(p *proxied)
		status  int
		errcode string
		cause   string
	}{
		{"taken over", func(*proxied) {}, 200, "{}", ""},
		{"unknown", func(p *proxied) { p.delegating.events.lookErr = fail(matrix.ResultGone) }, 400, "M_INVALID_PARAM", "delegation_unknown"},
		{"another room", func(p *proxied) { p.delegating.events.event.Room = "!x" }, 400, "M_INVALID_PARAM", "delegation_unknown"},
		{"too short", func(p *proxied) { p.delegating.events.event.Delay = leave.MinDelay - 1 }, 400, "M_INVALID_PARAM", "delegation_short"},
		{"look-up failed", func(p *proxied) { p.delegating.events.lookErr = fail(matrix.ResultFailed) }, 503, "M_UNKNOWN", "delegation_look_up"},
		{"look-up limited", func(p *proxied) { p.delegating.events.lookErr = fail(matrix.ResultLimited) }, 503, "M_UNKNOWN", "delegation_look_up"},
		{"off", func(p *proxied) { p.Delegation = nil }, 403, "M_FORBIDDEN", "delegation_off"},
		{"too many", func(p *proxied) { p.keeper.err = &leave.LimitError{Limit: "user"} }, 429, "M_LIMIT_EXCEEDED", "delegation_limit"},
		{"not kept", func(p *proxied) { p.keeper.err = errors.New("disk") }, 500, "M_UNKNOWN", "store"},
		{"not joined", func(p *proxied) { p.members.joined = nil }, 403, "M_FORBIDDEN", "not_joined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxied(t)
			p.FullAccess = func(matrix.ServerName) bool { return false }
			p.delegating.events.event = event
			tt.change(p)
			w := p.client("/delegate_delayed_leave", alice, with(newerBody, `"delay_id":"syd_x"`))
			wantAnswer(t, w, tt.status, tt.errcode)
			if tt.cause != "" && (!strings.Contains(p.log.String(), "cause="+tt.cause) || len(p.keeper.jobs) > 0) {
				t.Errorf("the log has %s, jobs %v; want the cause %s and none", p.log, p.keeper.jobs, tt.cause)
			}
			if tt.cause == "" && (len(p.keeper.jobs) != 1 || p.keeper.jobs[0].Delay != time.Hour || p.keeper.jobs[0].Identity != identityOf(t, false)) {
				t.Errorf("jobs %+v, want one of an hour for %s", p.keeper.jobs, identityOf(t, false))
			}
		})
	}
}

// TestMethodsOfProxiedRoutes: the homeserver passes others on, too, and a body
// after HEAD would break its connections.
func TestMethodsOfProxiedRoutes(t *testing.T) {
	p := newProxied(t)
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		w := p.serve(method, clientAPI+"/get_token", "", "Authorization", "Bearer "+hsToken, "X-Matrix-User-Identifier", alice)
		if w.Code != 405 || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q, want 405 and POST", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

// TestWithoutARegistrationNothingIsServed: 404 M_UNRECOGNIZED has clients fall
// back.
func TestWithoutARegistrationNothingIsServed(t *testing.T) {
	r := newRig()
	for _, path := range []string{clientAPI + "/get_token", fedAPI + "/get_token", "/_matrix/app/v1/ping"} {
		wantAnswer(t, r.serve("POST", path, newerBody, "Authorization", "Bearer "+hsToken), 404, "M_UNRECOGNIZED")
	}
}

// TestTwoCallersAreNone: a request that names two users, or two servers, does not
// say who asks.
func TestTwoCallersAreNone(t *testing.T) {
	for _, tt := range []struct{ path, header, body, first, second string }{
		{clientAPI + "/get_token", headerUser, newerBody, alice, mallory},
		{clientAPI + "/get_token", headerUser, newerBody, alice, alice},
		{fedAPI + "/get_token", headerOrigin, federated(stranger), "remote.example", "evil.example"},
	} {
		t.Run(tt.header+" "+tt.second, func(t *testing.T) {
			p := newProxied(t)
			r := httptest.NewRequest("POST", tt.path, strings.NewReader(tt.body))
			r.Header.Set("Authorization", "Bearer "+hsToken)
			r.Header[tt.header] = []string{tt.first, tt.second}
			w := httptest.NewRecorder()
			p.Routes().ServeHTTP(w, r)
			wantAnswer(t, w, 403, `"M_FORBIDDEN"`)
			if len(p.members.asked) > 0 {
				t.Errorf("asked who is joined: %q", p.members.asked)
			}
		})
	}
}

// TestALongURLHidesNotOurs: the log of a mismatch has both.
func TestALongURLHidesNotOurs(t *testing.T) {
	p := newProxied(t)
	wantAnswer(t, p.client("/get_token", alice, strings.Replace(newerBody, ourSFU, "wss://"+strings.Repeat("a", 4000), 1)), 400, `"M_INVALID_PARAM"`)
	if log := p.log.String(); !strings.Contains(log, "LIVEKIT_URL is "+p.URL) {
		t.Errorf("the log lacks LIVEKIT_URL: %s", log)
	}
}
