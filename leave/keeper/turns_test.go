package keeper

import (
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
)

// TestTurns checks that delegations of the same user are handled one after another (see
// turns). No delegation may wait for its turn longer than turnTime. Different users must
// not wait for each other.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		alice, bob := matrixtest.UserID(t, "@alice:example.org"), matrixtest.UserID(t, "@bob:example.org")
		wait := func(user matrix.UserID) (release func(), took time.Duration) {
			start := time.Now()
			release = turns.take(user)
			return release, time.Since(start)
		}
		first, took := wait(alice)
		if took != 0 {
			t.Errorf("the first turn: got a wait of %v, want none", took)
		}
		if release, took := wait(bob); took != 0 {
			t.Errorf("another user: got a wait of %v, want none", took)
		} else {
			release()
		}
		late, took := wait(alice)
		if took != turnTime {
			t.Errorf("while the turn before does not end: got a wait of %v, want %v", took, turnTime)
		}
		late() // this caller got no turn, so this call does nothing
		time.AfterFunc(turnTime/2, first)
		if _, took := wait(alice); took != turnTime/2 {
			t.Errorf("when the turn before ends: got a wait of %v, want %v", took, turnTime/2)
		}
	})
}
