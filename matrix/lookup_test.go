package matrix_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
)

// TestLookUpsOfOneNetwork has one network want look-ups at many servers that never
// answer. Other networks, and the leaves that are kept, have theirs meanwhile.
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
			go events.Manageable(by(0), serverName(t, fmt.Sprintf("s%d.dead.test", i)))
		}
		time.Sleep(time.Second)
		if err := events.Manageable(by(1), serverName(t, "quick.test")); err != nil {
			t.Errorf("a client of another network meanwhile: %v", err)
		}
		if _, err := events.APIs.Find(t.Context(), serverName(t, "kept.test")); err != nil {
			t.Errorf("a leave that is kept, meanwhile: %v", err)
		}
		time.Sleep(10 * time.Second) // until all have given up
	})
}

// TestAbandonedLookUps asks for the Client-Server APIs of many servers at which
// nobody answers, and leaves. What goes on is bounded, named servers notice
// nothing, and nothing of it is remembered.
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
			go events.Manageable(ctx, serverName(t, fmt.Sprintf("s%d.dead.test", i)))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		// A look-up has a goroutine of singleflight and some of a dial.
		if got := runtime.NumGoroutine() - before; got > 4*most {
			t.Errorf("%d goroutines more than before, 1 s after %d requests were abandoned", got, requests)
		}
		if err := events.Manageable(t.Context(), serverName(t, "a.test")); err != nil {
			t.Errorf("a named server meanwhile: %v", err)
		}
		quickServer := serverName(t, "quick.test")
		var refused *matrix.ClientAPIError
		if err := events.Manageable(t.Context(), quickServer); !errors.As(err, &refused) || refused.Definite {
			t.Errorf("one more server meanwhile: %v, want an error that is not definite", err)
		}
		time.Sleep(10 * time.Second)
		if err := events.Manageable(t.Context(), quickServer); err != nil {
			t.Errorf("the same server afterwards: %v", err)
		}
	})
}
