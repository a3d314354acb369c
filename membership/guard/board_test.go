package guard_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
)

// failing is a board that never answers.
type failing struct{ guard.Local }

var errBoard = errors.New("no board")

func (*failing) TakeSweep(context.Context, string, time.Duration) (bool, error) {
	return false, errBoard
}

func (*failing) SetBrake(context.Context, bool) error { return errBoard }

func (*failing) Brake(context.Context) (bool, error) { return false, errBoard }

// TestBoardIsAway checks a guard that gets no answer from its board, the state
// that replicas share. The guard must still sweep. If a sweep would remove too
// many persons at once, the guard must still remove none of them.
func TestBoardIsAway(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.enter(alice)
		time.Sleep(35 * time.Second)
		w.wantOn(alice, false)
		all := crowd(30)
		w.enterAll(all)
		w.change(func() { w.emptied = true })
		time.Sleep(35 * time.Second)
		report(t, g, w.enter(all[0]))
		if n := len(w.removed()); n != 1 {
			t.Errorf("removed %d, want alice alone", n)
		}
	}, func(g *guard.Guard) { g.Board = &failing{} })
}

// TestBrakeOfAnotherReplica checks that a guard removes nobody while the brake
// of a different replica is on.
func TestBrakeOfAnotherReplica(t *testing.T) {
	board := &guard.Local{}
	in(t, func(w *world, g *guard.Guard) {
		if err := board.SetBrake(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		report(t, g, w.enter(alice))
		synctest.Wait()
		w.wantOn(alice, true)
		if s := g.Status(); !s.Braked || s.BrakeHeld != 1 {
			t.Errorf("status %+v, want one removal that was held", s)
		}
	}, noSweeps, func(g *guard.Guard) { g.Board = board })
}

// TestBrakeAfterARestart checks that the brake is still on after a restart of
// the service. Joins and events must not make the guard remove anybody, even
// before the first sweep has ended.
func TestBrakeAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leaves.db.brake")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := crowd(30)
		w.enterAll(all)
		w.change(func() { w.emptied = true })
		start := func() (*guard.Guard, func()) {
			g := w.guard()
			g.Board = guard.OpenFile(path)
			return g, run(t, g)
		}
		g, end := start()
		time.Sleep(30 * time.Second)
		if !g.Status().Braked {
			t.Fatal("Braked: got false, want true")
		}
		end()

		g, end = start()
		for _, p := range all[:20] {
			w.report(g, w.enter(p))
			g.Changed(p.room, p.user)
		}
		time.Sleep(time.Second / 2)
		if n := len(w.removed()); n != 0 {
			t.Errorf("removed %d after a restart, want none", n)
		}
		w.change(func() { w.emptied = false })
		time.Sleep(time.Minute)
		if g.Status().Braked {
			t.Error("Braked when the answers have recovered: got true, want false")
		}
		end()
		if _, err := os.Stat(path); err == nil {
			t.Error("the file is still there: got no error, want one")
		}

		g, end = start()
		defer end()
		w.setJoined(all[0], false)
		g.Changed(all[0].room, all[0].user)
		w.report(g, w.enter(all[0]))
		time.Sleep(time.Second / 2)
		w.wantOn(all[0], false)
	})
}

// TestBrakeWithoutFile checks a guard that cannot write the file of its brake.
// The guard warns, and the brake holds nevertheless.
func TestBrakeWithoutFile(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		w.enterAll(crowd(30))
		w.change(func() { w.emptied = true })
		time.Sleep(30 * time.Second)
		if n := len(w.removed()); n != 0 || !g.Status().Braked {
			t.Errorf("removed %d, braked %v, want none and true", n, g.Status().Braked)
		}
		if n := w.log.Count("the state of the brake could not be stored"); n == 0 {
			t.Error("warnings: got none, want some")
		}
	}, func(g *guard.Guard) { g.Board = guard.OpenFile(filepath.Join(t.TempDir(), "nowhere", "brake")) })
}
