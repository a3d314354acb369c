package guard_test

import (
	"testing"
	"time"

	"matrixrtc-auth/membership/guard"
)

// TestBrakeOfAReplicaThatDoesNotSweep: its brake goes by all who are under
// enforcement, too.
func TestBrakeOfAReplicaThatDoesNotSweep(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		time.Sleep(2 * time.Second) // g sweeps
		second := w.guard()
		second.Board, second.Shared, second.Holder = g.Board, true, "two"
		defer run(w.t, second)()
		all := crowd(300)
		w.enterAll(all)
		time.Sleep(time.Minute + 10*time.Second)
		for _, p := range all[:30] {
			w.setJoined(p, false)
			second.Changed(p.room, p.user)
		}
		time.Sleep(time.Second)
		if n := len(w.removed()); n != 30 || g.Status().Braked || second.Status().Braked {
			t.Errorf("removed %d of 300, brake %v, want 30 and false", n, second.Status().Braked)
		}
	}, func(g *guard.Guard) { g.Shared = true })
}

// TestBrakeWithoutSweeps: where there are no sweeps, the brake goes by all who are
// under enforcement, too, and nobody is forgotten whom it held.
func TestBrakeWithoutSweeps(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		all := crowd(300)
		for _, p := range all {
			w.setJoined(p, true)
			w.report(g, w.enter(p))
		}
		time.Sleep(time.Minute)
		for _, p := range all[:30] {
			w.setJoined(p, false)
			g.Changed(p.room, p.user)
		}
		time.Sleep(10 * time.Minute)
		if n := len(w.removed()); n != 30 {
			t.Errorf("removed %d of 30 who are not joined, of 300, want all; brake %v", n, g.Status().Braked)
		}
	}, noSweeps)
}
