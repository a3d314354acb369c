package leave_test

import (
	"errors"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// failing returns a fault of single calls of the SFU.
func failing(cause string, calls ...string) func(string, sfu.Room) error {
	return func(call string, _ sfu.Room) error {
		for _, c := range calls {
			if c == call {
				return &sfu.Error{Op: call, Cause: cause, Err: errors.New("scripted")}
			}
		}
		return nil
	}
}

// An SFU that has restarted unseen, and does not say whether the room is the
// one that somebody was in, has said nothing.
func TestRoomIsNotKnown(t *testing.T) {
	for _, call := range []string{"RoomSince", "CreateRoom"} {
		for _, cause := range []string{sfu.CauseTimeout, sfu.CauseStatus} {
			t.Run(call+" "+cause, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := connected(t, long)
					w.set(func() { w.proxied = true })
					time.Sleep(3 * time.Minute)
					w.report(leave.Left, "S1", leave.Unclear) // its connection broke
					w.set(func() { w.fault = failing(cause, call) })
					w.sfuRestart()
					time.Sleep(8 * time.Second)
					w.set(func() { w.fault = nil })
					time.Sleep(4 * time.Second)
					w.join("S2")
					w.report(leave.Joined, "S2", leave.Unclear)
					time.Sleep(time.Minute)
					w.wantFate("d1", "", time.Time{}, 0)
				})
			})
		}
	}
}

// A member may come back while its leave waits for the homeserver, and be
// thrown out with everybody else.
func TestRoomIsForgottenBeforeASend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.proxied, w.hsDown = true, true })
		w.vanish()
		w.report(leave.Left, "S1", leave.Unclear)
		time.Sleep(30 * time.Second)
		w.sfuRestart()
		w.set(func() { w.hsDown = false })
		time.Sleep(12 * time.Second)
		w.wantFate("d1", "", time.Time{}, 0)
		w.set(func() {
			if len(w.created) != 1 {
				t.Errorf("created %q, want the room again", w.created)
			}
		})
		w.join("S2")
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// The SFU closes a room that everybody has left, which looks as if it had
// restarted. That is found out with the first look, so one more is enough.
func TestLastLeaveIsNotReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.again(5 * time.Second)
		time.Sleep(3 * time.Minute)
		w.vanish()
		w.set(func() { w.roomAt = time.Time{} })
		gone := time.Now()
		time.Sleep(10 * time.Minute)
		w.wantFate("d1", "sent", gone, w.interval+grace.Confirm+2*time.Second)
	})
}
