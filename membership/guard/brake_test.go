package guard_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/membership/guard"
)

const (
	tripped = "level=ERROR"
	lifted  = "answers have recovered"
)

// TestBrake: more than 20 persons, and more than a third.
func TestBrake(t *testing.T) {
	for _, tt := range []struct {
		name           string
		all, gone, off int
		unbraked       bool
		removed        int
	}{
		{"20 of 20", 20, 20, 0, false, 20},
		{"21 of 63", 63, 21, 0, false, 21},
		{"21 of 62", 62, 21, 0, false, 0},
		{"30 of 30", 30, 30, 0, false, 0},
		{"30 of 30, confirmed", 30, 30, 0, true, 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(w *world, g *guard.Guard) {
				all := crowd(tt.all)
				w.enterAll(all)
				for _, p := range all[:tt.gone] {
					w.setJoined(p, false)
				}
				time.Sleep(2 * time.Minute)
				if n := len(w.removed()); n != tt.removed {
					t.Errorf("removed %d, want %d", n, tt.removed)
				}
				want := 0
				if tt.removed == 0 {
					want = 1
				}
				if n := w.log.count(tripped); n != want {
					t.Errorf("%d error lines, want %d", n, want)
				}
				if s := g.Status(); s.Braked != (want == 1) {
					t.Errorf("status %+v", s)
				}
			}, func(g *guard.Guard) { g.Unbraked = tt.unbraked })
		})
	}
}

// TestEmptiedAndRestored: the database is emptied with 30 participants in calls.
// Some of them leave, others reconnect, the homeserver is silent for a while.
// Nobody is removed. When it is restored all goes on.
func TestEmptiedAndRestored(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		all := crowd(30)
		w.enterAll(all)
		time.Sleep(10 * time.Second)
		w.change(func() { w.emptied = true })
		time.Sleep(time.Minute)
		for _, p := range all[:15] {
			w.leave(p.call(), p.identity())
		}
		for _, p := range all[15:20] {
			report(t, g, w.enter(p))
			g.Changed(p.room, p.user)
		}
		time.Sleep(time.Minute)
		w.change(func() { w.silent = true })
		time.Sleep(time.Minute)
		w.change(func() { w.silent = false })
		report(t, g, w.enter(all[29]))
		time.Sleep(time.Minute)
		w.change(func() { w.emptied = false })
		time.Sleep(time.Minute)
		if n := len(w.removed()); n != 0 {
			t.Errorf("removed %d, want nobody", n)
		}
		if n, m := w.log.count(tripped), w.log.count(lifted); n != 1 || m != 1 {
			t.Errorf("%d error lines and %d that it is over, want one each", n, m)
		}
		w.setJoined(all[20], false)
		report(t, g, w.enter(all[20]))
		w.wantOn(all[20], false)
	})
}

// TestEverybodyReconnects to an SFU that has restarted, while the homeserver
// answers no for all: the brake trips before the 21st is removed.
func TestEverybodyReconnects(t *testing.T) {
	for _, sweeps := range []bool{false, true} {
		in(t, func(w *world, g *guard.Guard) {
			all := crowd(60)
			w.enterAll(all)
			time.Sleep(10 * time.Second)
			w.change(func() { w.emptied = true })
			for _, p := range all {
				report(t, g, w.enter(p))
			}
			if n := len(w.removed()); n != 20 {
				t.Errorf("removed %d, want 20", n)
			}
			if n := w.log.count(tripped); n != 1 {
				t.Errorf("%d error lines, want 1", n)
			}
			w.change(func() { w.emptied = false })
			time.Sleep(time.Minute + 10*time.Second)
			if n := w.log.count(lifted); n != 1 {
				t.Errorf("%d lines that it is over, want 1", n)
			}
			w.setJoined(all[50], false)
			report(t, g, w.enter(all[50]))
			w.wantOn(all[50], false)
		}, func(g *guard.Guard) {
			if !sweeps {
				g.Interval = 0
			}
		})
	}
}

// failing is a board that does not answer.
type failing struct{ guard.Local }

var errBoard = errors.New("no board")

func (*failing) TakeSweep(context.Context, string, time.Duration) (bool, error) {
	return false, errBoard
}
func (*failing) SetBrake(context.Context, bool) error { return errBoard }
func (*failing) Brake(context.Context) (bool, error)  { return false, errBoard }

// TestBoardIsAway: sweeps go on, and so does the brake of this process.
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

// TestBrakeOfAnotherReplica holds here, too.
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
