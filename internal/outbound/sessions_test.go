package outbound_test

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"matrixrtc-auth/internal/outbound"
)

func TestSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &outbound.Sessions{Lifetime: time.Minute}
		first, second := new(tls.ClientSessionState), new(tls.ClientSessionState)
		s.Put("a", first)
		time.Sleep(40 * time.Second)
		s.Put("b", second)
		check := func(server string, want *tls.ClientSessionState) {
			t.Helper()
			if got, ok := s.Get(server); got != want || ok != (want != nil) {
				t.Errorf("after %v: session of %s = %p, %v, want %p", time.Since(epoch), server, got, ok, want)
			}
		}
		check("a", first)
		time.Sleep(20 * time.Second)
		check("a", nil)
		check("b", second)
		s.Put("b", nil)
		check("b", nil)
		s.Put("b", first)
		time.Sleep(59 * time.Second)
		check("b", first)
		time.Sleep(time.Second)
		check("b", nil)
	})
}

// epoch is the time at which a synctest bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestSessionsAreGivenUp checks that Sessions removes a session after its
// lifetime, so that its memory is freed.
func TestSessionsAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(outbound.Sessions)
		state := new(tls.ClientSessionState)
		kept := weak.Make(state)
		s.Put("a", state)
		state = nil
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		runtime.GC()
		if kept.Value() != nil {
			t.Error("a session after 10 min: got it kept, want it forgotten")
		}
		runtime.KeepAlive(s)
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &outbound.Sessions{Max: 3}
		for i := range 5 {
			s.Put(fmt.Sprint(i), new(tls.ClientSessionState))
		}
		s.Put("3", new(tls.ClientSessionState)) // replaces session 3, so session 4 is now older
		s.Put("5", new(tls.ClientSessionState))
		for server, want := range map[string]bool{"0": false, "1": false, "2": false, "3": true, "4": true, "5": true} {
			if _, got := s.Get(server); got != want {
				t.Errorf("session of %s is kept: %v, want %v", server, got, want)
			}
		}
	})
}
