package matrix_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

func TestFailedConnectionResolvesOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex, hs := delegation(t, w, "max-age=86400")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour / 2)
		w.Remove("b.test:443")
		w.Serve("c.test:443", hs)
		apex.Delegate("c.test:443")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatalf("a server that has moved: got %v, want no error", err)
		}
		// The second discovery did not help, so later requests must not repeat
		// it.
		w.Remove("c.test:443")
		before := apex.Count(wellKnownPath)
		for range 5 {
			_, err := w.verify(t, hs, "@alice:a.test")
			wantCause(t, err, matrix.CauseConnect)
		}
		if got := apex.Count(wellKnownPath) - before; got != 0 {
			t.Errorf("got %d questions for what was learnt a moment ago, want 0", got)
		}
	})
}

func TestOneResolutionInFlightPerName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex, hs := delegation(t, w, "")
		serve := make(chan struct{})
		apex.ScriptWellKnown(func(rw http.ResponseWriter, _ *http.Request) {
			<-serve
			fmt.Fprint(rw, `{"m.server":"b.test:443"}`)
		})
		results := make(chan error)
		for i := range 20 {
			go func() {
				ctx := t.Context()
				if i == 0 { // the first caller gives up, but the other callers must still get the answer
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Second)
					defer cancel()
				}
				_, err := w.verifier.Verify(ctx, tokenOf(t, hs, "@alice:a.test"), matrix.UserID{}, nobody)
				results <- err
			}()
		}
		time.Sleep(2 * time.Second)
		wantCause(t, <-results, matrix.CauseTimeout)
		close(serve)
		for range 19 {
			if err := <-results; err != nil {
				t.Errorf("one of the 19 others: got %v, want no error", err)
			}
		}
		if got := apex.Count(wellKnownPath); got != 1 {
			t.Errorf("asked %d times, want 1", got)
		}
	})
}

// TestClassesShareNothing checks two servers with the same destination. The
// operator named only one of them. The other one delegates to it. Requests to
// the other server must not reuse connections of the named server.
func TestClassesShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "own.test")
		hs := &matrixtest.Homeserver{}
		w.Serve("own.test:8448", hs)
		if _, err := w.verify(t, hs, "@alice:own.test"); err != nil {
			t.Fatal(err)
		}
		evil := &matrixtest.Homeserver{}
		evil.Delegate("own.test:8448")
		w.Serve("evil.test:443", evil)
		w.verify(t, hs, "@mallory:evil.test")
		n := 0
		for _, d := range w.Dials() {
			if d == "own.test:8448" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("own.test:8448 was dialled %d times, want 2: a trusted connection was shared", n)
		}
	})
}

// TestDiscoveriesAreBounded checks that the number of running discoveries is
// bounded even if their callers have left.
func TestDiscoveriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		var now, most int
		w.resolver.OtherTransport.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
			return nil, ctx.Err()
		}
		for i := range 3000 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			token := matrix.OpenIDToken{AccessToken: secret.New("t"), Server: matrixtest.ServerName(t, fmt.Sprintf("s%d.test", i))}
			go w.verifier.Verify(ctx, token, matrix.UserID{}, nobody)
			if i%100 == 0 {
				time.Sleep(20 * time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if most > 300 {
			t.Errorf("got %d connections at once, want at most 300", most)
		}
	})
}

// TestWhyDiscoveryFailed checks a server with a wrong certificate, so that the
// service cannot read its well-known document. The error must name this reason,
// and not only say that nothing answers at port 8448.
func TestWhyDiscoveryFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex := &matrixtest.Homeserver{}
		apex.Delegate("b.test:443")
		w.Serve("a.test:443", apex, "elsewhere.test")
		_, err := w.verify(t, apex, "@alice:a.test")
		wantCause(t, err, matrix.CauseConnect)
		for _, part := range []string{"8448", "well-known of a.test", "certificate is valid for elsewhere.test"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("err = %v, want %q in it", err, part)
			}
		}
	})
}

// TestAClientThatLeavesForgetsNothing checks a client that disconnects before
// the homeserver answers. The service must not forget the homeserver's
// destination because of that.
func TestAClientThatLeavesForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apex, hs := delegation(t, w, "max-age=86400")
		if _, err := w.verify(t, hs, "@alice:a.test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // after 10 min, all idle connections are closed
		w.Silence("b.test:443")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err := w.verifier.Verify(ctx, tokenOf(t, hs, "@alice:a.test"), matrix.UserID{}, nobody)
		wantCause(t, err, matrix.CauseCanceled)
		synctest.Wait()
		if got := apex.Count(wellKnownPath); got != 1 {
			t.Errorf("the well-known was fetched %d times, want 1", got)
		}
	})
}
