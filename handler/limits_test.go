package handler

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
)

// limited calls f in a synctest bubble. The rig that f gets has the default
// limits.
func limited(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.Users = ratelimit.New[matrix.UserID](ratelimit.Limit{PerMinute: 60, Burst: 30})
		r.Failures = access.NewFailureLimiter()
		f(t, r)
	})
}

func TestUserLimit(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		for i := range 30 {
			e := endpoints[i%len(endpoints)]
			if w := r.serve("POST", e.path, e.body, "X-Real-IP", fmt.Sprintf("192.0.2.%d", i)); w.Code != 200 {
				t.Fatalf("request %d: got %d, want 200", i, w.Code)
			}
		}
		time.Sleep(300 * time.Millisecond)
		w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
		const want = `{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":700}`
		if got := w.Body.String(); w.Code != 429 || got != want || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%d %s, Retry-After %q, want 429 %s", w.Code, got, w.Header().Get("Retry-After"), want)
		}
		if w := r.serve("POST", "/sfu/get", sfuGetBody("@bob:"+homeserver)); w.Code != 200 {
			t.Errorf("another user: got %d, want 200", w.Code)
		}
		time.Sleep(700 * time.Millisecond)
		if w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver)); w.Code != 200 {
			t.Errorf("after Retry-After: got %d, want 200", w.Code)
		}
	})
}

// TestUserLimitIsOfVerifiedUsers checks a client that sends requests in Alice's
// name without proof. The client must not be able to use up Alice's limit.
func TestUserLimitIsOfVerifiedUsers(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		body := replaceIn(t, getTokenBody("@alice:"+homeserver), "openid_token.access_token", `"guess"`)
		for i := range 100 {
			r.serve("POST", "/get_token", body, "X-Real-IP", fmt.Sprintf("192.0.2.%d", i))
		}
		if w := r.serve("POST", "/get_token", getTokenBody("@alice:"+homeserver), "X-Real-IP", "198.51.100.1"); w.Code != 200 {
			t.Errorf("got %d %s, want 200", w.Code, w.Body)
		}
	})
}

// TestClientsThatLeave checks clients that disconnect during the verification.
// If the operator named the homeserver, a disconnect counts as the client's
// failure only within the first second, because the homeserver may be slow. At
// any other homeserver, every disconnect counts, because a stranger can make
// that homeserver slow.
func TestClientsThatLeave(t *testing.T) {
	for name, c := range map[string]struct {
		server  string
		after   time.Duration
		counted bool
	}{
		"a slow named server":  {homeserver, time.Second, false},
		"a quick leave":        {homeserver, 999 * time.Millisecond, true},
		"a slow other server":  {stranger, 9 * time.Second, true},
		"nobody waits at all":  {homeserver, 0, true},
		"an even slower named": {homeserver, 9 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			limited(t, func(t *testing.T, r *rig) {
				r.Routes()
				r.verifier.before = func(ctx context.Context) error {
					<-ctx.Done()
					return &matrix.VerifyError{Cause: matrix.CauseCanceled, Err: ctx.Err()}
				}
				var clients sync.WaitGroup
				for range 70 {
					clients.Go(func() {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						time.AfterFunc(c.after, cancel)
						r.serveContext(ctx, "POST", "/sfu/get", badTokenBody(c.server), "X-Real-IP", "192.0.2.1")
					})
				}
				clients.Wait()
				left := 0
				for r.Failures.Take(netip.MustParsePrefix("192.0.2.1/32")) == 0 {
					left++
				}
				if counted := left < 60; counted != c.counted {
					t.Errorf("70 clients left %s after %v: %d of 60 permits are left, want all: %v", c.server, c.after, left, !c.counted)
				}
			})
		})
	}
}

func TestSlowdownEndsWithTheClient(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		for range 60 {
			r.serve("POST", "/sfu/get", badTokenBody(homeserver))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		r.serveContext(ctx, "POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("waited %v, want 100ms", took)
		}
	})
}

func TestOneIPv6NetworkIsOneClient(t *testing.T) {
	limited(t, func(t *testing.T, r *rig) {
		for i := range 61 {
			w := r.serve("POST", "/sfu/get", badTokenBody(stranger), "X-Forwarded-For", fmt.Sprintf("2001:db8::%x", i+1))
			if want := map[bool]int{false: 401, true: 429}[i == 60]; w.Code != want {
				t.Fatalf("failure %d: %d, want %d", i, w.Code, want)
			}
		}
		if w := r.serve("POST", "/sfu/get", badTokenBody(stranger), "X-Forwarded-For", "2001:db8:0:1::1"); w.Code != 401 {
			t.Errorf("the next /64: got %d, want 401", w.Code)
		}
	})
}

func TestOffMeansAllLimits(t *testing.T) {
	r := newRig() // this rig has no limiters
	for i := range 200 {
		if w := r.serve("POST", "/sfu/get", badTokenBody(stranger)); w.Code != 401 {
			t.Fatalf("failure %d: got %d, want 401", i, w.Code)
		}
		if w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver)); w.Code != 200 {
			t.Fatalf("request %d: got %d, want 200", i, w.Code)
		}
	}
}
