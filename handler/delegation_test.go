package handler

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/access"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

const (
	alice   = "@alice:" + homeserver
	mallory = "@mallory:" + stranger
	anHour  = `"delay_id":"syd_x","delay_timeout":3600000`
)

func TestDelegationIsKept(t *testing.T) {
	for _, path := range delegatingPaths {
		t.Run(path, func(t *testing.T) {
			d := newDelegating(t)
			w := d.ask(path, alice, anHour)
			if w.Code != 200 || len(d.keeper.jobs) != 1 {
				t.Fatalf("%s: got %d %s and %d jobs, want 200 and one", path, w.Code, w.Body, len(d.keeper.jobs))
			}
			job := d.keeper.jobs[0]
			if job.User.String() != alice || job.DelayID.String() != "syd_x" || job.Delay != time.Hour || d.keeper.limits.PerUser != d.Delegation.Limits.PerUser || d.keeper.limits.All != d.Delegation.Limits.All {
				t.Errorf("%s: got %+v within %+v, want syd_x of %s for an hour within %+v", path, job, d.keeper.limits, alice, d.Delegation.Limits)
			}
			if path == routeDelegate {
				if w.Body.String() != "{}" || len(d.rooms.rooms) != 0 {
					t.Errorf("%s: %s, rooms %q, want {} and none", path, w.Body, d.rooms.rooms)
				}
				return
			}
			if grant := d.grants.last; job.Room != grant.Room || job.Identity != grant.Identity {
				t.Errorf("%s: got a leave of %v, want it of the token's %v", path, job.Key, grant)
			}
			if !strings.Contains(w.Body.String(), `"jwt":"header.payload.signature"`) {
				t.Errorf("%s: got %s, want \"jwt\":\"header.payload.signature\" in it", path, w.Body)
			}
		})
	}
}

// TestBothEndpointsMeanTheSameParticipant checks that the service derives the
// same participant from the same request to /delegate_delayed_leave and to
// /get_token.
func TestBothEndpointsMeanTheSameParticipant(t *testing.T) {
	d := newDelegating(t)
	d.ask("/get_token", alice, anHour)
	d.ask(routeDelegate, alice, anHour)
	if jobs := d.keeper.jobs; len(jobs) != 2 || jobs[0].Key != jobs[1].Key {
		t.Errorf("got %+v, want two jobs with one key", jobs)
	}
}

func TestDelayTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`500`: 500 * time.Millisecond, `500.9`: 500 * time.Millisecond, `"18000"`: 18 * time.Second, `1.8e4`: 18 * time.Second,
		`"1.8e4"`: 18 * time.Second, `86400000`: 24 * time.Hour, `86400001`: 24 * time.Hour, `9223372036855`: 24 * time.Hour,
		`1e300`: 24 * time.Hour, `1e400`: 24 * time.Hour, `"1e400"`: 24 * time.Hour,
		`499`: 0, `499.99`: 0, `0`: 0, `-1`: 0, `-1e400`: 0, `1e-400`: 0, `"NaN"`: 0, `"Infinity"`: 0, `"+600"`: 0,
		`"0x1000"`: 0, `"1_000"`: 0, `"600ms"`: 0, `""`: 0, `"x"`: 0, `true`: 0, `[600]`: 0, `{}`: 0, `"\"600\""`: 0,
	} {
		t.Run(text, func(t *testing.T) {
			for _, path := range delegatingPaths {
				d := newDelegating(t)
				w := d.ask(path, alice, `"delay_id":"syd_x","delay_timeout":`+text)
				switch {
				case want == 0:
					wantBadJSON(t, path+" "+text, w.Code, w.Body.String(), "delay_timeout")
					if d.events.asked+len(d.rooms.rooms)+len(d.keeper.jobs) > 0 || strings.Contains(d.log.String(), "user=") {
						t.Errorf("%s %s: got %d questions, the rooms %q, the jobs %v and the log %s, want nobody asked", path, text, d.events.asked, d.rooms.rooms, d.keeper.jobs, d.log)
					}
				case w.Code != 200 || len(d.keeper.jobs) != 1 || d.keeper.jobs[0].Delay != want:
					t.Errorf("%s %s: %d %s, %+v, want %v", path, text, w.Code, w.Body, d.keeper.jobs, want)
				}
			}
		})
	}
}

func TestDedicatedEndpointNeedsALeave(t *testing.T) {
	d := newDelegating(t)
	w := d.serve("POST", routeDelegate, getTokenBody(alice))
	wantBadJSON(t, "without delay_id", w.Code, w.Body.String(), "delay_id is missing")
	for _, id := range []string{".", "..", strings.Repeat("x", 256), `a\u0000`} {
		t.Run(fmt.Sprintf("%.20q", id), func(t *testing.T) {
			w := d.ask(routeDelegate, alice, `"delay_id":"`+id+`","delay_timeout":8000`)
			wantBadJSON(t, "delay_id "+id, w.Code, w.Body.String(), "delay_id is not valid")
		})
	}
	if w := d.ask(routeDelegate, alice, `"delay_id":"../../x","delay_timeout":8000`); w.Code != 200 {
		t.Errorf("an id that can be encoded: got %d %s, want 200", w.Code, w.Body)
	}
}

// TestDelegationRefused checks the answers when the service cannot take over a
// leave. The answer to a request for a token must make the client repeat the
// request without the leave. The endpoint for leaves must say what is wrong.
func TestDelegationRefused(t *testing.T) {
	limit := &leave.LimitError{Limit: "user", Setting: "LIVEKIT_MAX_JOBS_PER_USER", Most: 3}
	definite := &matrix.ClientAPIError{Definite: true, Err: errors.New("it does not delay events")}
	for name, c := range map[string]struct {
		user    string
		prepare func(d *delegating)
		status  int
		errcode string
		cause   string
	}{
		"no full access": {mallory, func(*delegating) {}, 403, "M_FORBIDDEN", access.DelegationAccess},
		"needs a token": {alice, func(d *delegating) {
			d.Delegation.Everyone, d.events.refusing[homeserver] = true, true
		}, 404, "M_UNRECOGNIZED", access.DelegationNeedsToken},
		"no Client-Server API": {alice, func(d *delegating) { d.events.err = definite }, 400, "M_BAD_JSON", access.DelegationClientAPI},
		"unknown server, no answer": {mallory, func(d *delegating) {
			d.FullAccess = func(matrix.ServerName) bool { return true }
			d.events.err = &matrix.ClientAPIError{Err: errors.New("connection refused")}
		}, 400, "M_BAD_JSON", access.DelegationClientAPI},
		"one too many": {alice, func(d *delegating) { d.keeper.err = limit }, 429, "M_LIMIT_EXCEEDED", access.DelegationLimit},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range delegatingPaths {
				d := newDelegating(t)
				c.prepare(d)
				w := d.ask(path, c.user, anHour)
				if path == routeDelegate {
					if w.Code != c.status || !strings.Contains(w.Body.String(), `"errcode":"`+c.errcode+`"`) {
						t.Errorf("%s %s: %d %s, want %d %s", name, path, w.Code, w.Body, c.status, c.errcode)
					}
				} else {
					wantBadJSON(t, name+" "+path, w.Code, w.Body.String(), "Delegation is not available")
				}
				if len(d.keeper.jobs) > 0 {
					t.Errorf("%s %s: a job remains: got %v, want 0", name, path, len(d.keeper.jobs))
				}
				if !strings.Contains(d.log.String(), "cause="+c.cause) {
					t.Errorf("%s %s: the log has no cause %s: got %s, want %q in it", name, path, c.cause, d.log, "cause="+c.cause)
				}
				if c.cause == access.DelegationLimit && !strings.Contains(d.log.String(), "LIVEKIT_MAX_JOBS_PER_USER") {
					t.Errorf("%s: log: got %s, want LIVEKIT_MAX_JOBS_PER_USER in it", path, d.log)
				}
			}
		})
	}
}

// TestNamedServerThatDoesNotAnswer checks a homeserver that the operator named,
// and that does not answer. The service must still take over a leave of its
// users. Element Call asks only once, so a refusal would be final.
func TestNamedServerThatDoesNotAnswer(t *testing.T) {
	for _, path := range delegatingPaths {
		t.Run(path, func(t *testing.T) {
			d := newDelegating(t)
			d.events.err = &matrix.ClientAPIError{Err: errors.New("connection refused")}
			if w := d.ask(path, alice, anHour); w.Code != 200 || len(d.keeper.jobs) != 1 {
				t.Errorf("%s: got %d %s and %d jobs, want 200 and one", path, w.Code, w.Body, len(d.keeper.jobs))
			}
		})
	}
}

// TestNoJobRemains checks that no leave remains stored if the SFU does not
// create the room. It also checks that the answer is 500 if the store fails.
func TestNoJobRemains(t *testing.T) {
	d := newDelegating(t)
	d.rooms.err = errors.New("no SFU")
	if w := d.ask("/sfu/get", alice, anHour); w.Code != 500 || len(d.keeper.jobs) > 0 {
		t.Errorf("got %d %s and %d jobs, want 500 and none", w.Code, w.Body, len(d.keeper.jobs))
	}
	for _, path := range delegatingPaths {
		t.Run(path, func(t *testing.T) {
			d := newDelegating(t)
			d.keeper.err = errors.New("disk full")
			w := d.ask(path, alice, anHour)
			if w.Code != 500 || w.Body.String() != `{"errcode":"M_UNKNOWN","error":"Unable to keep the leave"}` {
				t.Errorf("%s: got %d %s, want 500 and \"Unable to keep the leave\"", path, w.Code, w.Body)
			}
		})
	}
}

func TestTokensWithoutDelegationDoNotTouchTheStore(t *testing.T) {
	d := newDelegating(t)
	d.keeper.err = errors.New("must not be asked")
	d.events.err = errors.New("must not be asked")
	d.serve("POST", "/sfu/get", sfuGetBody(alice))
	d.serve("POST", "/get_token", getTokenBody(alice))
	if d.events.asked > 0 || strings.Contains(d.log.String(), "must not") {
		t.Errorf("got %d questions and the log %s, want none, and no \"must not\" in it", d.events.asked, d.log)
	}
}

// TestProbe checks the answer to a request without body and token. Element Call
// sends such a request to find out whether the service takes over leaves. For
// Element Call, a 404 means no, and every other answer means yes.
func TestProbe(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(d *delegating)
		offered bool
	}{
		"on":                     {func(*delegating) {}, true},
		"off":                    {func(d *delegating) { d.Delegation = nil }, false},
		"the one server refuses": {func(d *delegating) { d.events.refusing[homeserver] = true }, false},
		"one of two refuses": {func(d *delegating) {
			d.events.refusing[homeserver] = true
			d.Delegation.Servers = append(d.Delegation.Servers, matrixtest.ServerName(t, "second.org"))
		}, true},
		"everyone may, one refuses": {func(d *delegating) { d.Delegation.Everyone, d.events.refusing[homeserver] = true, true }, true},
		"nobody may":                {func(d *delegating) { d.Delegation.Servers = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDelegating(t)
			c.prepare(d)
			for _, request := range []string{"POST " + routeDelegate, "POST /" + routeDelegate + "/"} {
				method, path, _ := strings.Cut(request, " ")
				w := d.serve(method, path, "")
				want, body := 404, `{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}`
				if c.offered {
					want, body = 400, `{"errcode":"M_NOT_JSON","error":"The body is not JSON"}`
				}
				if w.Code != want || w.Body.String() != body {
					t.Errorf("%s: %s: %d %s, want %d %s", name, request, w.Code, w.Body, want, body)
				}
				wantCORS(t, name, w.Header(), "POST")
			}
			want := map[bool]int{true: 405, false: 404}[c.offered]
			if w := d.serve("GET", routeDelegate, ""); w.Code != want {
				t.Errorf("%s: GET: %d, want %d", name, w.Code, want)
			}
			d.Drain()
			want = map[bool]int{true: 400, false: 404}[c.offered]
			if w := d.serve("POST", routeDelegate, ""); w.Code != want {
				t.Errorf("%s: at the end: %d, want %d", name, w.Code, want)
			}
		})
	}
}

func TestDelegationIsLogged(t *testing.T) {
	d := newDelegating(t)
	d.ask("/get_token", alice, anHour)
	lines := d.log.Lines()
	if len(lines) != 1 || !strings.Contains(lines[0], "delay_hash=303612cb62d8 delay=1h0m0s") || strings.Contains(lines[0], "syd_x") {
		t.Errorf("log: got %q, want one line with the hash and the delay, and without the id", lines)
	}
	if len(fmt.Sprint(d.keeper.jobs)) == 0 {
		t.Error("got no job, want one that can be printed")
	}
}
