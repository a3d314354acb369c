package matrix_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
)

const (
	needsToken = `{"errcode":"M_MISSING_TOKEN"}`
	notFound   = `{"errcode":"M_NOT_FOUND"}`
)

func TestServerThatNeedsAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server, events := delaying(t)
		a := matrixtest.ServerName(t, "a.test")
		var told []matrix.ServerName
		events.Refused = func(s matrix.ServerName) { told = append(told, s) }
		answer := func(status int, body string) {
			server.set(func() { server.status, server.body = status, body })
			_ = events.Restart(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d"))
		}

		answer(200, "{}")
		if err := events.Manageable(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		answer(401, needsToken)
		answer(401, needsToken)
		if err := events.Manageable(t.Context(), a); !errors.Is(err, matrix.ErrNeedsToken) {
			t.Errorf("after 401 M_MISSING_TOKEN: got %v, want %v", err, matrix.ErrNeedsToken)
		}
		if len(told) != 1 || told[0] != a {
			t.Errorf("told of %v, want a.test once", told)
		}
		// These answers do not say whether the server requires authentication, so
		// Refuses must still return true.
		answer(500, "")
		answer(401, `{"errcode":"M_UNKNOWN_TOKEN"}`)
		// The service probes the server every 10 min, and the server may take
		// 15 s to answer. Only then may Refuses return false.
		time.Sleep(10*time.Minute + 14*time.Second)
		if !events.Refuses(a) {
			t.Error("Refuses after 10 min 14 s: got false, want true until a probe can have been answered")
		}
		time.Sleep(2 * time.Second)
		if events.Refuses(a) {
			t.Error("Refuses after 10 min 16 s: got true, want that it is forgotten")
		}

		answer(401, needsToken)
		answer(404, notFound)
		if events.Refuses(a) {
			t.Error("Refuses of a server that manages events again: got true, want false")
		}
	})
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		status  int
		body    string
		refuses bool
	}{
		{404, notFound, false},
		{401, needsToken, true},
		{404, `{"errcode":"M_UNRECOGNIZED"}`, false},
		{429, `{"errcode":"M_LIMIT_EXCEEDED"}`, false},
		{503, "", false},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, server, events := delaying(t)
				server.status, server.body = c.status, c.body
				gone := matrixtest.ServerName(t, "nobody.test")
				events.Probe(t.Context(), []matrix.ServerName{matrixtest.ServerName(t, "a.test"), gone})
				if got := events.Refuses(matrixtest.ServerName(t, "a.test")); got != c.refuses {
					t.Errorf("%d %s: refuses %v, want %v", c.status, c.body, got, c.refuses)
				}
				if events.Refuses(gone) {
					t.Error("Refuses of a server that is away: got true, want false")
				}
				if len(server.paths) != 1 {
					t.Errorf("requests %q, want one", server.paths)
				}
			})
		})
	}
}

// TestKnownAPIDoesNotWait checks a server whose API the service knows. A search
// for a new API gets no answer. Find must return the known API after at most
// half of the caller's time, and after at most 500 ms.
func TestKnownAPIDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, events := delaying(t)
		a := matrixtest.ServerName(t, "a.test")
		if err := events.Restart(t.Context(), matrixtest.UserID(t, "@alice:a.test"), delayID(t, "d")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		w.Silence("a.test:443")
		for _, limit := range []time.Duration{80 * time.Millisecond, 5 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			start := time.Now()
			_, err := events.APIs.Find(ctx, a)
			cancel()
			if took := time.Since(start); err != nil || took > min(limit/2, 500*time.Millisecond) {
				t.Errorf("within %v: got %v after %v, want no error within half of that, and 500 ms", limit, err, took)
			}
		}
		time.Sleep(10 * time.Second) // long enough for the search for a new API to give up, so that its goroutine ends, as synctest requires
	})
}
