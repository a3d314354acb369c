package handler

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
)

// TestRemoteTokens checks a client that asks for the SFU of another homeserver.
// The other homeserver must get the client's request with the user's id added.
// If it answers with a token, a 403 or a 400, the client must get the same. The
// client must get 502 for any other answer.
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

// TestOwnNameIsLocal checks requests whose server_name is empty, or is the name
// of our own homeserver. They must get a token for our SFU.
func TestOwnNameIsLocal(t *testing.T) {
	for _, name := range []string{"", homeserver} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			p := newProxied(t)
			wantAnswer(t, p.client("/get_token", alice, with(newerBody, `"server_name":"`+name+`"`)), 200, "header.payload.signature")
			if p.remote.body != "" {
				t.Errorf("%q: another homeserver was asked: got %v, want none", name, p.remote.body)
			}
		})
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
			t.Errorf("log: got %s, want via=federation and origin=%s in it", log, stranger)
		}
	}
	p := newProxied(t)
	p.CanPublish = func(matrix.ServerName) bool { return false }
	wantAnswer(t, p.federation(stranger, federated(mallory)), 200, "jwt")
	if p.grants.last.CanPublish {
		t.Errorf("a user of a server that may not publish: got %+v, want no CanPublish", p.grants.last)
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

// TestOriginsWaitBeforeTheyAreRefused checks that a request of another
// homeserver has to wait before it gets 429. After a 429, a homeserver repeats
// its request four times.
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
			t.Errorf("got 429 after %v with Retry-After %q, want it within 2 s, with one", took, w.Header().Get("Retry-After"))
		}
	})
}
