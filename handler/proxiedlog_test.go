package handler

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/token"
)

// TestProxiedRequestsAreLoggedAndCounted checks that the service writes one log
// line for each proxied request. The line must name the user or server that
// sent the request, the room, who forwarded the request, and the cause of a
// refusal. The metrics must count the request once, by endpoint and cause.
func TestProxiedRequestsAreLoggedAndCounted(t *testing.T) {
	room, err := matrix.ParseRoomID(aRoom)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := matrix.ParseSlotID("m.call#ROOM")
	if err != nil {
		t.Fatal(err)
	}
	hash := string(token.RoomName(room, slot))
	delegation := with(newerBody, `"delay_id":"syd_x"`)
	bob := "@bob:" + homeserver
	const fromHomeserver, fromFederation = "via=homeserver", "via=federation origin=" + stranger
	for _, tt := range []struct {
		name string
		ask  func(p *proxied)
		line []string // parts of the log line; if has is true, the line must also name the room
		has  bool
		by   string // the labels of the metric
	}{
		{"token", func(p *proxied) { p.client("/get_token", alice, newerBody) },
			[]string{fromHomeserver, "user=" + alice}, true, `cause="ok",endpoint="get_token",via="homeserver"`},
		{"not joined", func(p *proxied) { p.client("/get_token", bob, newerBody) },
			[]string{fromHomeserver, "user=" + bob, "cause=not_joined"}, true, `cause="not_joined",endpoint="get_token",via="homeserver"`},
		{"another SFU", func(p *proxied) { p.client("/get_token", alice, strings.Replace(newerBody, "sfu.", "x.", 1)) },
			[]string{fromHomeserver, "user=" + alice, "cause=url_mismatch"}, true, `cause="url_mismatch",endpoint="get_token",via="homeserver"`},
		{"not JSON", func(p *proxied) { p.client("/get_token", alice, "{") },
			[]string{fromHomeserver, "user=" + alice, "cause=not_json"}, false, `cause="not_json",endpoint="get_token",via="homeserver"`},
		{"no such event", func(p *proxied) {
			p.delegating.events.lookErr = &matrix.DelayError{Result: matrix.ResultGone, Err: errors.New("x")}
			p.client("/delegate_delayed_leave", alice, delegation)
		}, []string{fromHomeserver, "user=" + alice, "cause=delegation_unknown"}, true, `cause="delegation_unknown",endpoint="delegate_delayed_leave",via="homeserver"`},
		{"federation", func(p *proxied) { p.federation(stranger, federated(mallory)) },
			[]string{fromFederation, "user=" + mallory}, true, `cause="ok",endpoint="get_token",via="federation"`},
		{"federation, foreign user", func(p *proxied) { p.federation(stranger, federated(alice)) },
			[]string{fromFederation, "user=" + alice, "cause=foreign_user"}, true, `cause="foreign_user",endpoint="get_token",via="federation"`},
		{"another program", func(p *proxied) { p.serve("POST", clientAPI+"/get_token", newerBody) },
			[]string{fromHomeserver, "cause=hs_token_missing"}, false, `cause="hs_token_missing",endpoint="get_token",via="homeserver"`},
		{"transaction", func(p *proxied) { p.own("PUT", "/transactions/1", "{}") },
			[]string{fromHomeserver}, false, `cause="ok",endpoint="transactions",via="homeserver"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxied(t)
			p.Handler.Metrics = metrics.New("1")
			p.delegating.events.event = matrix.DelayedEvent{Room: aRoom, Delay: time.Hour}
			tt.ask(p)
			line := p.log.String()
			for _, part := range tt.line {
				if !strings.Contains(line, part) {
					t.Errorf("the log has %s, want %s", line, part)
				}
			}
			if strings.Count(line, "\n") != 1 || strings.Contains(line, "room="+hash) != tt.has {
				t.Errorf("the log has %s, want one line; the room %s in it: %v", line, hash, tt.has)
			}
			if want := "matrixrtc_auth_appservice_requests_total{" + tt.by + "} 1"; !strings.Contains(scrape(p.Handler.Metrics), want) {
				t.Errorf("metrics: want %s in it, got\n%s", want, scrape(p.Handler.Metrics))
			}
		})
	}
}

// TestTransactionsAreAnsweredWhileEnding checks that a transaction gets 200
// even while the service shuts down. After any other status, the homeserver
// would stop its queue of transactions.
func TestTransactionsAreAnsweredWhileEnding(t *testing.T) {
	p := newProxied(t)
	p.Routes()
	p.Drain()
	wantAnswer(t, p.own("PUT", "/transactions/1", `{"events":[`+memberEvent("!a:b", "@c:d")+`]}`), 200, "{}")
	if len(p.events) != 1 {
		t.Errorf("told of %d memberships, want 1", len(p.events))
	}
	if w := p.client("/get_token", alice, newerBody); w.Code != 200 {
		t.Errorf("a request that comes meanwhile: %d %s, want 200", w.Code, w.Body)
	}
}

// TestTheHomeserverHasNoShare checks that the homeserver may have any number of
// requests in progress, because it forwards requests of many clients. A client
// that only pretends to be the homeserver must have the usual bound.
func TestTheHomeserverHasNoShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProxied(t)
		p.InProgress = semaphore.New[netip.Prefix](semaphore.Bounds{PerKey: 1})
		if _, ok := p.InProgress.TryAcquire(netip.MustParsePrefix("192.0.2.1/32")); !ok {
			t.Fatal("TryAcquire: got false, want a free share")
		}
		ask := func(method, path, body, token string) int {
			return p.serve(method, path, body, "X-Forwarded-For", "192.0.2.1", "Authorization", "Bearer "+token, "X-Matrix-User-Identifier", alice).Code
		}
		const transaction = "/_matrix/app/v1/transactions/1"
		for _, tt := range []struct {
			method, path, body, token string
			want                      int
		}{
			{"PUT", transaction, "{}", hsToken, 200},
			{"POST", clientAPI + "/get_token", newerBody, hsToken, 200},
			{"PUT", transaction, "{}", "guess", 429},
			{"POST", "/sfu/get", "{}", hsToken, 429},
		} {
			if got := ask(tt.method, tt.path, tt.body, tt.token); got != tt.want {
				t.Errorf("%s %s with the token %s: %d, want %d", tt.method, tt.path, tt.token, got, tt.want)
			}
		}
	})
}

// TestLastingConditionsAreNoTrouble checks what another homeserver gets if our
// homeserver answers 400 to the service's question about the request. Our
// homeserver would answer 400 again if the request were repeated. So the other
// homeserver must get a 4xx. After a 5xx, it would repeat the request four times.
func TestLastingConditionsAreNoTrouble(t *testing.T) {
	answered := func(status int) error { return &matrix.AppServiceError{Status: status, Err: errors.New("x")} }
	for _, tt := range []struct {
		name    string
		err     error
		status  int
		errcode string
	}{
		{"refused", answered(400), 403, `{"errcode":"M_FORBIDDEN","error":"Forbidden"}`},
		{"not allowed", answered(403), 502, "M_UNKNOWN"},
		{"not served", answered(404), 502, "M_UNKNOWN"},
		{"trouble", answered(500), 502, "M_UNKNOWN"},
		{"no answer", context.DeadlineExceeded, 502, "M_UNKNOWN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxied(t)
			p.members.err = tt.err
			wantAnswer(t, p.federation(stranger, federated(mallory)), tt.status, tt.errcode)
			wantAnswer(t, p.client("/get_token", alice, newerBody), 502, "M_UNKNOWN")
		})
	}
	p := newProxied(t)
	wantAnswer(t, p.federation(stranger, federated("mallory")), 400, "M_INVALID_PARAM")
}

// TestOneBodyForEveryRefusal checks that the answer has the same text for each
// reason of a refusal. So nobody learns the reason.
func TestOneBodyForEveryRefusal(t *testing.T) {
	p := newProxied(t)
	p.Delegation = nil
	bodies := map[string]string{
		"not joined":       p.client("/get_token", "@bob:"+homeserver, newerBody).Body.String(),
		"foreign user":     p.federation(stranger, federated(alice)).Body.String(),
		"not joined there": p.federation(stranger, federated("@eve:"+stranger)).Body.String(),
		"no delegation":    p.client("/delegate_delayed_leave", alice, with(newerBody, `"delay_id":"d"`)).Body.String(),
		"no caller":        p.client("/get_token", "", newerBody).Body.String(),
	}
	p.remote.err = &matrix.RemoteError{Status: 403, Err: errors.New("x")}
	bodies["refused elsewhere"] = p.client("/get_token", alice, with(newerBody, `"server_name":"`+stranger+`"`)).Body.String()
	for name, body := range bodies {
		if want := `{"errcode":"M_FORBIDDEN","error":"Forbidden"}`; body != want {
			t.Errorf("%s: %s, want %s", name, body, want)
		}
	}
}
