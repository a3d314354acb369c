package handler

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// TestProxiedTokens checks requests with a newer and with an older form of the
// body, under each prefix of the path. Each of them must get a token.
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
					t.Errorf("log: got %s, want via=homeserver and %s in it, and no hs_token", log, alice)
				}
			})
		}
	}
}

// TestProxiedUsersNeedNoList checks a service to which the operator named no
// server with full access. The users of the homeserver at which the service is
// registered must still get full access.
func TestProxiedUsersNeedNoList(t *testing.T) {
	p := newProxied(t)
	p.FullAccess = func(matrix.ServerName) bool { return false }
	p.CanPublish = p.FullAccess
	wantAnswer(t, p.client("/get_token", alice, newerBody), 200, "jwt")
	if len(p.rooms.rooms) != 1 || !p.grants.last.CanPublish {
		t.Errorf("got the rooms %q and %+v, want one room, to publish in", p.rooms.rooms, p.grants.last)
	}
}

// TestTheHomeserverMustProveItself checks that the service refuses a request
// without the hs_token before it reads the body. The answer must not make
// clients log out, and must not say that the service does not exist.
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

// TestProxiedRequestsThatAreRefused checks the answer to each kind of faulty
// request that the homeserver proxies.
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

// TestNothingTellsWhatExists checks that nobody can find out which rooms exist.
// A user who is not in a room, and a user who names an unknown room, must get
// the same answer. The service must ask the homeserver once for each of them.
func TestNothingTellsWhatExists(t *testing.T) {
	p := newProxied(t)
	stranger := p.client("/get_token", "@bob:"+homeserver, newerBody)
	unknown := p.client("/get_token", alice, strings.Replace(newerBody, "!room", "!other", 1))
	if stranger.Body.String() != unknown.Body.String() || stranger.Code != unknown.Code || len(p.members.asked) != 2 {
		t.Errorf("got %d %s and %d %s after the questions %q, want the same answer twice and two questions", stranger.Code, stranger.Body, unknown.Code, unknown.Body, p.members.asked)
	}
}

// TestUnknownMembershipFailsClosed checks that nobody gets a token if the
// homeserver does not say who is joined.
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
		t.Errorf("got the rooms %q and jobs %v, want none", p.rooms.rooms, p.keeper.jobs)
	}
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

// TestMethodsOfProxiedRoutes checks that methods other than POST get 405. The
// homeserver forwards requests with any method. The answer to HEAD must have no
// body, because a body would break the homeserver's connection.
func TestMethodsOfProxiedRoutes(t *testing.T) {
	p := newProxied(t)
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		t.Run(method, func(t *testing.T) {
			w := p.serve(method, clientAPI+"/get_token", "", "Authorization", "Bearer "+hsToken, "X-Matrix-User-Identifier", alice)
			if w.Code != 405 || w.Header().Get("Allow") != "POST" {
				t.Errorf("%s: %d, Allow %q, want 405 and POST", method, w.Code, w.Header().Get("Allow"))
			}
		})
	}
}

// TestWithoutARegistrationNothingIsServed checks a service that is registered
// at no homeserver. It must answer 404 M_UNRECOGNIZED. After this answer,
// clients use the older endpoints.
func TestWithoutARegistrationNothingIsServed(t *testing.T) {
	r := newRig()
	for _, path := range []string{clientAPI + "/get_token", fedAPI + "/get_token", "/_matrix/app/v1/ping"} {
		t.Run(path, func(t *testing.T) {
			wantAnswer(t, r.serve("POST", path, newerBody, "Authorization", "Bearer "+hsToken), 404, "M_UNRECOGNIZED")
		})
	}
}

// TestTwoCallersAreNone checks that the service refuses a request that names
// two users or two servers.
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
				t.Errorf("asked who is joined: got %q, want 0", p.members.asked)
			}
		})
	}
}

// TestALongURLHidesNotOurs checks a client that sends a long wrong URL of an
// SFU. The log must still show LIVEKIT_URL.
func TestALongURLHidesNotOurs(t *testing.T) {
	p := newProxied(t)
	wantAnswer(t, p.client("/get_token", alice, strings.Replace(newerBody, ourSFU, "wss://"+strings.Repeat("a", 4000), 1)), 400, `"M_INVALID_PARAM"`)
	if log := p.log.String(); !strings.Contains(log, "LIVEKIT_URL is "+p.URL) {
		t.Errorf("the log lacks LIVEKIT_URL: got %s, want %q in it", log, "LIVEKIT_URL is "+p.URL)
	}
}
