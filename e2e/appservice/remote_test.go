package appservice

import (
	"testing"
	"time"

	"matrixrtc-auth/e2e/caller"
)

// TestSlowRemote checks that our service does not wait too long for the service of
// another homeserver. The other service does not answer. Our service must answer before
// our homeserver's time limit ends.
func TestSlowRemote(t *testing.T) {
	t.Parallel() // the test waits most of the time
	w := newWorld(t)
	first, second := newSide(t, w, "first", false, nil), newSide(t, w, "second", false, nil)
	alice, bob := first.register(t, "alice"), second.register(t, "bob")
	room := callRoom(t, alice, bob)
	must(t, bob.Join(within(t, time.Minute), room, first.name.String()))
	ask := func() caller.Answer {
		answer, _ := post(t, bob, stable+"/get_token", first.call(room, map[string]any{"server_name": first.name.String()}))
		return answer
	}
	// A homeserver that has just joined a room does not know all members of the room
	// yet.
	eventually(t, time.Minute, "the second homeserver knows that the first is in the room", func() bool { return ask().Status == 200 })
	first.service.Freeze()
	began := time.Now()
	answer := ask()
	first.service.Thaw()
	wants(t, "while the other service is frozen", answer, 502, "M_UNKNOWN")
	if took := time.Since(began); took > 28*time.Second {
		t.Errorf("the answer took %v, want less than the 30 s of Synapse", took)
	}
}
