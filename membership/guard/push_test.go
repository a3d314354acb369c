package guard_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
)

// inCall calls test while alice is in a call that the SFU has reported to the
// guard.
func inCall(t *testing.T, test func(w *world, g *guard.Guard), change ...func(*guard.Guard)) {
	t.Helper()
	in(t, func(w *world, g *guard.Guard) {
		w.setJoined(alice, true)
		report(t, g, w.enter(alice))
		w.change(func() { w.asked = nil; clear(w.calls) })
		test(w, g)
	}, change...)
}

func TestPush(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(w *world)
		on   bool
	}{
		{"banned", func(w *world) { w.joined[alice] = false }, false},
		{"an old event", func(*world) {}, true},
		{"no answer", func(w *world) { w.silent = true }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inCall(t, func(w *world, g *guard.Guard) {
				beside := w.beside(alice, "screen")
				w.change(func() { tt.set(w) })
				g.Changed(alice.room, alice.user)
				synctest.Wait()
				w.wantOn(alice, tt.on)
				w.wantAsked(1)
				if w.forgotten != 1 {
					t.Errorf("forgotten %d times, want once", w.forgotten)
				}
				w.leave(beside.Room, beside.Identity)
			}, noSweeps)
		})
	}
}

// TestPushOfOthers checks two pushed events that concern no call. An event of a
// room without a call leads to no request to the SFU. An event about a person
// who is in no call leads to no question to the homeserver.
func TestPushOfOthers(t *testing.T) {
	inCall(t, func(w *world, g *guard.Guard) {
		quiet := personOf("!quiet", "@alice:example.org")
		g.Changed(quiet.room, quiet.user)
		synctest.Wait()
		if n := w.called(); n != 0 {
			t.Errorf("got %d calls of the SFU, want 0", n)
		}
		bob := person{alice.room, personOf("!x", "@bob:example.org").user}
		g.Changed(bob.room, bob.user)
		synctest.Wait()
		w.wantAsked(0)
		w.wantOn(alice, true)
	}, noSweeps)
}

// TestPushAfterTheCall checks that membership events after the end of a call lead
// to only one request to the SFU.
func TestPushAfterTheCall(t *testing.T) {
	inCall(t, func(w *world, g *guard.Guard) {
		w.leave(alice.call(), alice.identity())
		time.Sleep(time.Second)
		for range 5 {
			g.Changed(alice.room, alice.user)
			synctest.Wait()
		}
		w.wantAsked(0)
		if n := w.called(); n != 1 {
			t.Errorf("%d calls of the SFU, want 1", n)
		}
	}, noSweeps)
}

// TestPushEndsWhatBeganBefore checks that an answer "no" ends no session that
// began after the question.
func TestPushEndsWhatBeganBefore(t *testing.T) {
	inCall(t, func(w *world, g *guard.Guard) {
		w.takes = time.Second
		w.setJoined(alice, false)
		g.Changed(alice.room, alice.user)
		synctest.Wait()
		w.setJoined(alice, true)
		w.enter(alice)
		time.Sleep(2 * time.Second)
		w.wantOn(alice, true)
	}, noSweeps)
}

// TestPushOfCallThatWasNotReported checks an event about a person in a call
// that the SFU did not report. The guard finds the call if a sweep has seen it.
// If replicas share the reports, the guard finds the call without a sweep.
func TestPushOfCallThatWasNotReported(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.setJoined(alice, true)
		w.enter(alice)
		time.Sleep(10 * time.Second) // during this, the guard sweeps
		w.setJoined(alice, false)
		g.Changed(alice.room, alice.user)
		synctest.Wait()
		w.wantOn(alice, false)
	})
	in(t, func(w *world, g *guard.Guard) {
		w.enter(alice)
		g.Changed(alice.room, alice.user)
		synctest.Wait()
		w.wantOn(alice, false)
	}, noSweeps, func(g *guard.Guard) { g.Shared = true })
}

// TestSharedRoomsAreListedOnceASecond checks that the guard lists the SFU's
// rooms only once a second, however many events come.
func TestSharedRoomsAreListedOnceASecond(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		for range 30 {
			for _, p := range crowd(10) {
				g.Changed(p.room, p.user)
			}
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		if n := w.called(); n > 4 {
			t.Errorf("got %d calls of the SFU within 3 s, want at most 4", n)
		}
		w.wantAsked(0)
	}, noSweeps, func(g *guard.Guard) { g.Shared = true })
}

// TestPushedSweeps checks that the guard sweeps every 10 min while the
// homeserver pushes events. After a question without an answer, the next sweep
// comes after 30 s.
func TestPushedSweeps(t *testing.T) {
	var pushed atomic.Bool
	pushed.Store(true)
	in(t, func(w *world, g *guard.Guard) {
		w.setJoined(alice, true)
		w.report(g, w.enter(alice))
		sweeps := func(within time.Duration) int {
			w.change(func() { clear(w.calls) })
			time.Sleep(within)
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.calls["ListRooms"]
		}
		time.Sleep(10 * time.Second) // during this, the first sweep runs
		if n := sweeps(9 * time.Minute); n != 0 {
			t.Errorf("%d sweeps within 9 min, want none", n)
		}
		if n := sweeps(2 * time.Minute); n != 1 {
			t.Errorf("%d sweeps in the next 2 min, want 1", n)
		}
		w.change(func() { w.silent = true })
		g.Changed(alice.room, alice.user)
		synctest.Wait()
		w.change(func() { w.silent = false })
		if n := sweeps(time.Minute); n != 1 {
			t.Errorf("%d sweeps in the minute after a question without an answer, want 1", n)
		}
		pushed.Store(false)
		if n := sweeps(2 * time.Minute); n < 3 {
			t.Errorf("%d sweeps within 2 min without pushes, want 3 at least", n)
		}
	}, func(g *guard.Guard) { g.Pushed = pushed.Load })
}

var _ guard.SFU = (*world)(nil)
