package guard_test

import (
	"testing"
	"time"

	"matrixrtc-auth/membership/guard"
	"matrixrtc-auth/membership/ticket"
)

// TestBrakeOfAReplicaThatDoesNotSweep checks that a replica that does not sweep
// also knows how many persons are on the SFU. So its brake does not engage when
// it removes 30 of 300 persons.
func TestBrakeOfAReplicaThatDoesNotSweep(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		time.Sleep(2 * time.Second) // meanwhile, g becomes the replica that sweeps
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

// TestBrakeWithoutSweeps checks a guard that makes no sweeps. It must know
// nevertheless that 300 persons are on the SFU. Otherwise its brake would engage
// when it removes 30 of them.
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

// TestClocksOfReplicas checks a user who was not joined to the room when the guard
// asked. After that, a different replica issues a token to the user. That replica's
// clock is behind, so the token seems older than the homeserver's "no". The guard
// must not remove the user because of this old answer.
func TestClocksOfReplicas(t *testing.T) {
	in(t, func(w *world, g *guard.Guard) {
		at := ticket.Place{Room: alice.call(), Identity: alice.identity()}
		old := w.sealer.Seal(w.ticketOf(alice), at)
		time.Sleep(time.Minute)
		for range 4 {
			report(w.t, g, w.enterWith(at.Room, at.Identity, alice, old, false))
			w.wantOn(alice, false)
		}
		w.wantAsked(3) // for the fourth session, the guard does not ask again: it has kept the last "no"
		w.setJoined(alice, true)
		behind := w.ticketOf(alice)
		behind.Issued = behind.Issued.Add(-10 * time.Second)
		report(w.t, g, w.enterWith(at.Room, at.Identity, alice, w.sealer.Seal(behind, at), false))
		w.wantOn(alice, true)
	}, noSweeps, func(g *guard.Guard) { g.Shared = true })
}
