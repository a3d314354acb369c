package matrix_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
)

// TestLookUpsOfOneNetwork checks one client network that asks for look-ups at
// many servers, which never answer. Meanwhile, this service must still make
// look-ups for other networks, and for stored leaves.
func TestLookUpsOfOneNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, events := delaying(t)
		w.swallow(".dead.test")
		w.Serve("quick.test:443", &clientServer{features: delaysEvents})
		w.Serve("kept.test:443", &clientServer{features: delaysEvents})
		by := func(n int) context.Context {
			return outbound.For(t.Context(), outbound.Asker{Network: client(n)})
		}
		for i := range 600 {
			go events.Manageable(by(0), matrixtest.ServerName(t, fmt.Sprintf("s%d.dead.test", i)))
		}
		time.Sleep(time.Second)
		if err := events.Manageable(by(1), matrixtest.ServerName(t, "quick.test")); err != nil {
			t.Errorf("a client of another network meanwhile: got %v, want no error", err)
		}
		if _, err := events.APIs.Find(t.Context(), matrixtest.ServerName(t, "kept.test")); err != nil {
			t.Errorf("a leave that is kept, meanwhile: got %v, want no error", err)
		}
		time.Sleep(10 * time.Second) // waits until all look-ups have given up
	})
}

// TestSharedLookUps checks two client networks that ask for the API of the same
// server. The first network has used up its share of look-ups or of TLS
// handshakes, and never stops asking. The second network asks later. It must
// still get an answer within a second, and again 10 s later.
func TestSharedLookUps(t *testing.T) {
	for name, c := range map[string]struct {
		servers int // how many servers never answer
		occupy  func(*world)
	}{
		"look-ups":   {64, func(w *world) { w.swallow(".dead.test") }},
		"handshakes": {40, func(w *world) { w.stall(40, ".dead.test:443") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const servers = 20
				w, _, events := delaying(t)
				w.resolver.OtherTransport.Pool = &outbound.Pool{MaxHandshake: 32 << 10, MaxHandshakes: 2 << 20}
				c.occupy(w)
				by := func(ctx context.Context, n int) context.Context {
					return outbound.For(ctx, outbound.Asker{Network: client(n)})
				}
				abuse, stop := context.WithCancel(t.Context())
				var abusing sync.WaitGroup
				repeat := func(server string) {
					abusing.Go(func() {
						for abuse.Err() == nil {
							events.Manageable(by(abuse, 0), matrixtest.ServerName(t, server))
							time.Sleep(10 * time.Millisecond)
						}
					})
				}
				for i := range c.servers {
					repeat(fmt.Sprintf("s%d.dead.test", i))
				}
				time.Sleep(100 * time.Millisecond)
				for i := range servers {
					w.Serve(fmt.Sprintf("new%d.test:443", i), &clientServer{features: delaysEvents})
					repeat(fmt.Sprintf("new%d.test", i))
				}
				for i := range servers {
					time.Sleep(300 * time.Millisecond)
					start, server := time.Now(), matrixtest.ServerName(t, fmt.Sprintf("new%d.test", i))
					if err := events.Manageable(by(t.Context(), 1), server); err != nil || time.Since(start) > time.Second {
						t.Errorf("%s: got %v after %v, want no error within 1 s", server, err, time.Since(start))
					}
				}
				time.Sleep(10 * time.Second)
				for i := range servers {
					if err := events.Manageable(by(t.Context(), 1), matrixtest.ServerName(t, fmt.Sprintf("new%d.test", i))); err != nil {
						t.Errorf("new%d.test later: got %v, want no error", i, err)
					}
				}
				stop()
				abusing.Wait()
				time.Sleep(10 * time.Second) // waits until all look-ups have given up
			})
		})
	}
}

// TestAbandonedLookUps asks for the APIs of many servers that never answer, and
// cancels the requests. Only a bounded number of look-ups may go on, and
// requests to servers that the operator named must not wait. The service must
// remember nothing about the silent servers.
func TestAbandonedLookUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests, most = 2000, 128
		w, _, events := delaying(t, "a.test")
		w.swallow(".dead.test")
		quick := &clientServer{features: delaysEvents}
		w.Serve("quick.test:443", quick)
		synctest.Wait()
		before := runtime.NumGoroutine()
		for i := range requests {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			go events.Manageable(ctx, matrixtest.ServerName(t, fmt.Sprintf("s%d.dead.test", i)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		// The bound allows four goroutines for each look-up: one serves the
		// callers, and the others serve a dial.
		if got := runtime.NumGoroutine() - before; got > 4*most {
			t.Errorf("1 s after %d requests were abandoned: got %d goroutines more than before, want at most %d", requests, got, 4*most)
		}
		if err := events.Manageable(t.Context(), matrixtest.ServerName(t, "a.test")); err != nil {
			t.Errorf("a named server meanwhile: got %v, want no error", err)
		}
		quickServer := matrixtest.ServerName(t, "quick.test")
		var refused *matrix.ClientAPIError
		if err := events.Manageable(t.Context(), quickServer); !errors.As(err, &refused) || refused.Definite {
			t.Errorf("one more server meanwhile: %v, want an error that is not definite", err)
		}
		time.Sleep(10 * time.Second)
		if err := events.Manageable(t.Context(), quickServer); err != nil {
			t.Errorf("the same server afterwards: got %v, want no error", err)
		}
	})
}
