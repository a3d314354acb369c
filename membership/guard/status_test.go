package guard_test

import (
	"testing"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/sfu"
)

// TestLate checks that the status says how late sweeps are, even before the
// first sweep.
func TestLate(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		away := true
		w.change(func() {
			w.sfuFails = func(op string, _ sfu.Room) bool { return away && op == "ListRooms" }
		})
		late := func(after, want time.Duration) {
			w.t.Helper()
			time.Sleep(after)
			if got := g.Status().Late; got < want || got > want+6*time.Second {
				w.t.Errorf("late by %s, want %s or up to 6 s more", got, want)
			}
		}
		late(25*time.Second, 0)
		late(65*time.Second, time.Minute)
		w.change(func() { away = false })
		late(10*time.Second, 0)
		w.change(func() { away = true })
		late(100*time.Second, 75*time.Second)
	})
}

// TestLateNever checks that sweeps are never late if they are off.
func TestLateNever(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		time.Sleep(time.Hour)
		if got := g.Status().Late; got != 0 {
			w.t.Errorf("late by %s", got)
		}
	}, noSweeps)
}

// TestSweptElsewhere checks a replica while another replica sweeps. The status
// must say that another replica sweeps, and that no sweep is late. When the
// other replica has ended, this replica must sweep.
func TestSweptElsewhere(t *testing.T) {
	board := &guard.Local{}
	in(t, func(w *world, one *guard.Guard) {
		two := w.guard()
		two.Board, two.Holder = board, "two"
		time.Sleep(2 * time.Second)
		defer run(w.t, two)()
		time.Sleep(5 * time.Minute)
		if s := one.Status(); s.Elsewhere || s.Late != 0 {
			w.t.Errorf("one: elsewhere %v, late %s, want neither", s.Elsewhere, s.Late)
		}
		if s := two.Status(); !s.Elsewhere || s.Late != 0 || !s.SweepBegan.IsZero() {
			w.t.Errorf("two: elsewhere %v, late %s, swept %s, want elsewhere alone", s.Elsewhere, s.Late, s.SweepBegan)
		}
	}, func(g *guard.Guard) { g.Board = board })
}
