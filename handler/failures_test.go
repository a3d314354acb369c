package handler

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/matrix"
)

func TestFailuresAtUnnamedServers(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		from := func(addr, body string) int {
			return r.serve("POST", "/sfu/get", body, "X-Real-IP", addr).Code
		}
		for i := range 60 {
			if status := from("192.0.2.1", badTokenBody(fmt.Sprintf("s%d.example", i))); status != 401 {
				t.Fatalf("failure %d: got %d, want 401", i, status)
			}
		}
		w := r.serve("POST", "/sfu/get", badTokenBody("s61.example"), "X-Real-IP", "192.0.2.1")
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%d, Retry-After %q, want 429 and 1", w.Code, w.Header().Get("Retry-After"))
		}
		if status := from("192.0.2.1", sfuGetBody("@alice:"+stranger)); status != 429 {
			t.Errorf("a good token at an unnamed server, over the limit: got %d, want 429", status)
		}
		if status := from("192.0.2.2", badTokenBody(stranger)); status != 401 {
			t.Errorf("another address: got %d, want 401", status)
		}
		start := time.Now()
		if status := from("192.0.2.1", sfuGetBody("@alice:"+homeserver)); status != 200 {
			t.Errorf("a named server's user from there: %d, want 200", status)
		}
		if took := time.Since(start); took <= 0 || took > time.Second {
			t.Errorf("the named server's user waited %v, want at most 1s", took)
		}
		time.Sleep(time.Second)
		if status := from("192.0.2.1", badTokenBody(stranger)); status != 401 {
			t.Errorf("a second later: %d, want 401", status)
		}
	})
}

func TestSuccessCostsNoFailure(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		for i := range 300 {
			w := r.serve("POST", "/sfu/get", sfuGetBody(fmt.Sprintf("@u%d:%s", i, stranger)))
			if w.Code != 200 {
				t.Fatalf("request %d: got %d, want 200", i, w.Code)
			}
		}
	})
}

// TestAHomeserversTroubleIsNobodysFailure checks errors of a homeserver, and
// errors of this service. They must not count as failures of a client. After
// such errors, a user of that server or a client at the same address must not
// have to wait.
func TestAHomeserversTroubleIsNobodysFailure(t *testing.T) {
	for cause, isFailure := range map[matrix.Cause]bool{
		matrix.CauseLimited: false, matrix.CauseTrouble: false, matrix.CauseBusy: false, matrix.CauseDNS: false, matrix.CauseConnect: false,
		matrix.CauseTLS: false, matrix.CauseTimeout: false, matrix.CauseProtocol: false,
		matrix.CauseStatus: true, matrix.CauseForeignSubject: true, matrix.CauseClaimedUser: true, matrix.CauseRefused: true,
		matrix.CauseCanceled: true, matrix.CauseNotJSON: true, matrix.CauseTooLarge: true,
	} {
		t.Run(string(cause), func(t *testing.T) {
			limited(t, func(t *testing.T, r *rig) {
				r.verifier.cause = cause
				for range 100 {
					r.serve("POST", "/sfu/get", badTokenBody(stranger), "X-Real-IP", "192.0.2.1")
				}
				if w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+stranger), "X-Real-IP", "192.0.2.1"); (w.Code == 429) != isFailure {
					t.Errorf("after 100 failures at a stranger's server: got %d %s, want 429: %v", w.Code, w.Body, isFailure)
				}
				for range 100 {
					r.serve("POST", "/sfu/get", badTokenBody(homeserver), "X-Real-IP", "192.0.2.2")
				}
				start := time.Now()
				r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver), "X-Real-IP", "192.0.2.2")
				if took := time.Since(start); (took > 0) != isFailure {
					t.Errorf("after 100 failures at a named server: got a wait of %v, want one: %v", took, isFailure)
				}
			})
		})
	}
}

// TestAHomeserversLimitIsPassedOn checks a homeserver that answers 429. The
// client must also get 429, with the homeserver's Retry-After.
func TestAHomeserversLimitIsPassedOn(t *testing.T) {
	for _, c := range []struct {
		wait             time.Duration
		seconds, inBody  string
		server, endpoint string
	}{
		{7 * time.Second, "7", "7000", homeserver, "/sfu/get"},
		{1500 * time.Millisecond, "2", "1500", stranger, "/"},
		{0, "1", "1000", homeserver, "/sfu/get"}, // the homeserver sent no Retry-After
	} {
		t.Run(fmt.Sprint(c.wait), func(t *testing.T) {
			r := newRig()
			r.Handler.Metrics = metrics.New("")
			r.Authorizer.Metrics = r.Handler.Metrics
			r.verifier.before = func(context.Context) error {
				return &matrix.VerifyError{Cause: matrix.CauseLimited, Status: 429, RetryAfter: c.wait}
			}
			w := r.serve("POST", c.endpoint, badTokenBody(c.server))
			want := `{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":` + c.inBody + `}`
			if got := w.Body.String(); w.Code != 429 || got != want || w.Header().Get("Retry-After") != c.seconds {
				t.Errorf("%v: %d %s, Retry-After %q, want 429 %s and %s", c.wait, w.Code, got, w.Header().Get("Retry-After"), want, c.seconds)
			}
			if log := r.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "cause=homeserver_limited") {
				t.Errorf("%v: log: got %s, want level=WARN and cause=homeserver_limited in it", c.wait, log)
			}
			if all := scrape(r.Handler.Metrics); !strings.Contains(all, `matrixrtc_auth_verifications_total{cause="homeserver_limited"} 1`) {
				t.Errorf("%v: metrics: want one verification of the cause homeserver_limited, got\n%s", c.wait, all)
			}
		})
	}
}

// TestAHomeserversTroubleStays401 checks that the client gets 401 with the same
// text for every error of a homeserver except 429.
func TestAHomeserversTroubleStays401(t *testing.T) {
	for _, cause := range []matrix.Cause{matrix.CauseTrouble, matrix.CauseConnect, matrix.CauseBusy} {
		t.Run(string(cause), func(t *testing.T) {
			r := newRig()
			r.verifier.cause = cause
			w := r.serve("POST", "/sfu/get", badTokenBody(homeserver))
			if want := `{"errcode":"M_UNAUTHORIZED","error":"The OpenID token does not prove the user"}`; w.Code != 401 || w.Body.String() != want {
				t.Errorf("%s: %d %s, want 401 %s", cause, w.Code, w.Body, want)
			}
			if log := r.log.String(); !strings.Contains(log, "cause="+string(cause)) {
				t.Errorf("%s: log: got %s, want the cause in it", cause, log)
			}
		})
	}
}

// TestFailuresInFlightCount checks that a verification counts as a failure
// while it is in progress. Otherwise an attacker could start a thousand
// verifications before the first one fails.
func TestFailuresInFlightCount(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		r.Routes()
		release := make(chan struct{})
		r.verifier.before = func(context.Context) error { <-release; return nil }
		codes := make(chan int, 100)
		for range 100 {
			go func() { codes <- r.serve("POST", "/sfu/get", badTokenBody(stranger)).Code }()
		}
		synctest.Wait()
		refused := len(codes)
		for range refused {
			if code := <-codes; code != 429 {
				t.Errorf("refused: got %d, want 429", code)
			}
		}
		if refused != 40 {
			t.Errorf("%d of 100 were refused at once, want 40", refused)
		}
		close(release)
		for range 100 - refused {
			if code := <-codes; code != 401 {
				t.Errorf("judged: got %d, want 401", code)
			}
		}
	})
}

func TestFailuresAtNamedServersOnlySlow(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		start := time.Now()
		for i := range 60 {
			if w := r.serve("POST", "/sfu/get", badTokenBody(homeserver)); w.Code != 401 {
				t.Fatalf("failure %d: got %d, want 401", i, w.Code)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the first 60: got a wait of %v, want none", took)
		}
		for i := range 10 {
			if w := r.serve("POST", "/sfu/get", badTokenBody(homeserver)); w.Code != 401 {
				t.Fatalf("failure %d over the limit: got %d, want 401", i, w.Code)
			}
		}
		if took := time.Since(start); took < 9*time.Second || took > 10*time.Second {
			t.Errorf("ten more waited %v, want a second each", took)
		}
		if w := r.serve("POST", "/sfu/get", badTokenBody(stranger)); w.Code != 429 {
			t.Errorf("at an unnamed server from there: %d, want 429", w.Code)
		}
	})
}
