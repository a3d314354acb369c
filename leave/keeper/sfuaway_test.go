package keeper_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/sfu"
)

// TestSilentSFU checks when the keeper calls its function Silent, which it must do
// exactly once if no webhook comes, and otherwise never. If all webhooks go to this
// process, the call must come while a participant is in a call. If other processes may
// get webhooks, it must come only after a participant has left.
func TestSilentSFU(t *testing.T) {
	for _, c := range []struct {
		shared, reports bool
		inCall, after   int32 // how often the keeper must have called its function Silent before the participant left, and at the end of the test
	}{
		{inCall: 1, after: 1},
		{shared: true, after: 1},
		{reports: true},
		{shared: true, reports: true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				var told atomic.Int32
				w.stop()
				<-w.ended
				w.shared, w.silent = c.shared, func() { told.Add(1) }
				w.start()
				time.Sleep(time.Minute)
				w.join("S1")
				w.delegate("d1", long)
				if c.reports {
					w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
				}
				time.Sleep(10 * time.Minute)
				if n := told.Load(); n != c.inCall {
					t.Errorf("Silent was called %d times while somebody was in a call, want %d", n, c.inCall)
				}
				w.vanish()
				time.Sleep(10 * time.Minute)
				if n := told.Load(); n != c.after {
					t.Errorf("Silent was called %d times after somebody had gone, want %d", n, c.after)
				}
			})
		})
	}
}

func TestSFUOutage(t *testing.T) {
	for _, away := range []time.Duration{3 * time.Second, 2 * time.Minute, 50 * time.Minute} {
		t.Run(away.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, 18*time.Second)
				w.vanish()
				w.set(func() { w.sfuDown = true })
				w.report(sfu.KindLeft, "S1", sfu.ReasonServerShutdown)
				time.Sleep(away)
				w.set(func() { w.sfuDown = false })
				time.Sleep(10 * time.Second) // the client reconnects during this time
				w.wantFate("d1", "", time.Time{}, 0)
				w.join("S2")
				time.Sleep(5 * time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
			})
		})
	}
}

// TestSFUKilledAndBack has a client that comes back 15 s after an outage, at the last
// allowed moment. The keeper notices up to 5 s late that the SFU is back. The 15 s must
// begin when the keeper notices it.
func TestSFUKilledAndBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.vanish()
		w.set(func() { w.sfuDown = true })
		time.Sleep(70 * time.Second) // after this time, the keeper asks the SFU only every 5 s whether it is back
		w.set(func() { w.sfuDown = false })
		time.Sleep(5*time.Second + 100*time.Millisecond)
		w.set(func() {
			if len(w.created) != 1 {
				t.Errorf("created %q, want the room again", w.created)
			}
		})
		time.Sleep(9800 * time.Millisecond)
		w.join("S2")
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// TestSFURestartsUnseen restarts the SFU. The SFU is back before the keeper asks it a
// question. The keeper must create the room again, and must not send the leave of the
// participant, who comes back.
func TestSFURestartsUnseen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		time.Sleep(10 * time.Second)
		w.sfuRestart()
		time.Sleep(300 * time.Millisecond) // a client tries again to join after this time
		w.set(func() {
			if len(w.created) != 1 || w.roomAt.IsZero() {
				t.Errorf("created %q, want the room again", w.created)
			}
		})
		time.Sleep(10 * time.Second)
		w.wantFate("d1", "", time.Time{}, 0)
		w.join("S2")
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// TestWhoDoesNotComeBack has a participant who does not come back after an outage of
// the SFU. The keeper must send the leave soon. It must not wait until it would usually
// ask again who is in the room.
func TestWhoDoesNotComeBack(t *testing.T) {
	for name, interval := range map[string]time.Duration{"a minute": time.Minute, "never": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, long)
				w.again(interval)
				time.Sleep(10 * time.Second)
				w.sfuRestart()
				back := time.Now()
				time.Sleep(14 * time.Second)
				w.wantFate("d1", "", back, 0)
				time.Sleep(10 * time.Minute)
				w.wantFate("d1", "sent", back, 40*time.Second)
			})
		})
	}
}
