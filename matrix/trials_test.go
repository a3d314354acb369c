package matrix_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// trying calls f with a world that limits trials. A trial is a request to a
// server that is not yet known to be a homeserver.
func trying(t *testing.T, named []string, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, named...)
		w.verifier.Trials = matrix.NewTrialLimiter()
		f(t, w)
	})
}

// ask verifies a bad token at server, as a request of the n-th client. It
// returns the cause of the failure.
func (w *world) ask(t *testing.T, server string, n int) matrix.Cause {
	t.Helper()
	_, err := w.verifier.Verify(t.Context(), badToken(t, server), matrix.UserID{}, client(n))
	e, ok := errors.AsType[*matrix.VerifyError](err)
	if !ok {
		t.Fatalf("%s: %v, want a *VerifyError", server, err)
	}
	return e.Cause
}

func badToken(t *testing.T, server string) matrix.OpenIDToken {
	t.Helper()
	return matrix.OpenIDToken{AccessToken: secret.New("bad"), Server: matrixtest.ServerName(t, server)}
}

// times returns how often addr was dialled.
func (w *world) times(addr string) (n int) {
	for _, dialled := range w.Dials() {
		if dialled == addr {
			n++
		}
	}
	return n
}

// TestTrialsOfDeadServers checks a client that asks for very many servers. The
// service must stop searching for them. Requests of other clients, and requests
// to known homeservers, must still work.
func TestTrialsOfDeadServers(t *testing.T) {
	trying(t, nil, func(t *testing.T, w *world) {
		w.Serve("known.test:8448", &matrixtest.Homeserver{})
		if got := w.ask(t, "known.test", 2); got != matrix.CauseStatus {
			t.Fatalf("a homeserver: got %s, want %s", got, matrix.CauseStatus)
		}
		for i := range 60 {
			if got := w.ask(t, fmt.Sprintf("s%d.test:1234", i), 1); got != matrix.CauseConnect {
				t.Fatalf("trial %d: %s, want %s", i, got, matrix.CauseConnect)
			}
		}
		for _, c := range []struct {
			what, server string
			client       int
			want         matrix.Cause
		}{
			{"one too many", "s60.test:1234", 1, matrix.CauseBusy},
			{"one that is known", "known.test", 1, matrix.CauseStatus},
			{"for another client", "s60.test:1234", 2, matrix.CauseConnect},
		} {
			if got := w.ask(t, c.server, c.client); got != c.want {
				t.Errorf("%s: %s, want %s", c.what, got, c.want)
			}
		}
		time.Sleep(time.Second)
		if got := w.ask(t, "s61.test:1234", 1); got != matrix.CauseConnect {
			t.Errorf("a second later: %s, want %s", got, matrix.CauseConnect)
		}
	})
}

// TestTrialsOfWebsites checks that a request counts as a trial if a website
// answers instead of a homeserver.
func TestTrialsOfWebsites(t *testing.T) {
	trying(t, nil, func(t *testing.T, w *world) {
		page := func(status int) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(status)
				fmt.Fprint(rw, "<html>hello</html>")
			}
		}
		for i := range 60 {
			status := []int{200, 404, 429, 503}[i%4]
			w.Serve(fmt.Sprintf("s%d.test:8448", i), page(status))
			if got := w.ask(t, fmt.Sprintf("s%d.test", i), 1); got == matrix.CauseBusy {
				t.Fatalf("trial %d, of a website with status %d: got %s, want any other cause", i, status, got)
			}
		}
		if got := w.ask(t, "s0.test", 1); got != matrix.CauseBusy {
			t.Errorf("one too many: %s, want %s", got, matrix.CauseBusy)
		}
	})
}

// TestHomeserversCostNoTrial checks that a client can ask for any number of new
// servers that answer as homeservers do. Each request to a new server takes a trial
// of the client. The answer of a homeserver gives the trial back, whatever its
// status is.
func TestHomeserversCostNoTrial(t *testing.T) {
	trying(t, nil, func(t *testing.T, w *world) {
		for i := range 200 {
			hs := &matrixtest.Homeserver{}
			status := []int{401, 403, 429, 500}[i%4]
			hs.Script(func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(status)
				fmt.Fprint(rw, `{"errcode":"M_UNKNOWN"}`)
			})
			w.Serve(fmt.Sprintf("s%d.test:8448", i), hs)
			if got := w.ask(t, fmt.Sprintf("s%d.test", i), 1); got == matrix.CauseBusy {
				t.Fatalf("server %d, which answers %d: got %s, want any other cause", i, status, got)
			}
		}
	})
}

// TestADeadServerIsLeftAlone checks a server that this service cannot reach.
// For 2 s, the service must not dial the server again. In this time, requests
// for the server do not count as trials.
func TestADeadServerIsLeftAlone(t *testing.T) {
	trying(t, nil, func(t *testing.T, w *world) {
		const server = "dead.test:1234"
		for i := range 200 {
			if got := w.ask(t, server, 1); got != matrix.CauseConnect {
				t.Fatalf("request %d: %s, want %s", i, got, matrix.CauseConnect)
			}
		}
		if got := w.times(server); got != 1 {
			t.Errorf("dialled %d times, want 1", got)
		}
		w.Serve(server, &matrixtest.Homeserver{})
		time.Sleep(2 * time.Second)
		if got := w.ask(t, server, 1); got != matrix.CauseStatus {
			t.Errorf("when it is back: %s, want %s", got, matrix.CauseStatus)
		}
	})
}

// TestAClientThatLeavesDeclaresNobodyDead checks a client that disconnects
// before the server answers. The server must not count as unreachable because
// of that.
func TestAClientThatLeavesDeclaresNobodyDead(t *testing.T) {
	trying(t, nil, func(t *testing.T, w *world) {
		const server = "slow.test:1234"
		w.swallow("slow.test")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.verifier.Verify(ctx, badToken(t, server), matrix.UserID{}, client(1))
		wantCause(t, err, matrix.CauseTimeout)
		w.swallow("nobody")
		w.Serve(server, &matrixtest.Homeserver{})
		if got := w.ask(t, server, 2); got != matrix.CauseStatus {
			t.Errorf("right after a client that did not wait: %s, want %s", got, matrix.CauseStatus)
		}
	})
}

// TestNamedServersAreNotOnTrial checks a server that the operator named, and
// that this service cannot reach. Requests to it must not count as trials, and
// the service must dial it each time.
func TestNamedServersAreNotOnTrial(t *testing.T) {
	trying(t, []string{"own.test"}, func(t *testing.T, w *world) {
		for i := range 100 {
			if got := w.ask(t, "own.test", 1); got != matrix.CauseConnect {
				t.Fatalf("request %d: %s, want %s", i, got, matrix.CauseConnect)
			}
		}
		w.Serve("own.test:8448", &matrixtest.Homeserver{})
		if got := w.ask(t, "own.test", 1); got != matrix.CauseStatus {
			t.Errorf("as soon as it is back: %s, want %s", got, matrix.CauseStatus)
		}
	})
}

func TestWithoutALimitOfTrials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 200 {
			if got := w.ask(t, fmt.Sprintf("s%d.test:1234", i), 1); got != matrix.CauseConnect {
				t.Fatalf("request %d: %s, want %s", i, got, matrix.CauseConnect)
			}
		}
	})
}
