package keeper_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/sfu"
)

// An SFU that reports nothing is told of once, when somebody is in a call, or
// where reports may go elsewhere, when somebody has gone.
func TestSilentSFU(t *testing.T) {
	for _, c := range []struct {
		shared, reports bool
		inCall, after   int32 // how often it was told of
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
					t.Errorf("told of %d times with somebody in a call, want %d", n, c.inCall)
				}
				w.vanish()
				time.Sleep(10 * time.Minute)
				if n := told.Load(); n != c.after {
					t.Errorf("told of %d times, want %d", n, c.after)
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
				time.Sleep(10 * time.Second) // the client needs time to come back
				w.wantFate("d1", "", time.Time{}, 0)
				w.join("S2")
				time.Sleep(5 * time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
			})
		})
	}
}

// The client comes back at the end of its 15 s, which may have begun with the
// SFU's return: the service finds that out within 5 s, but perhaps at once.
func TestSFUKilledAndBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.vanish()
		w.set(func() { w.sfuDown = true })
		time.Sleep(70 * time.Second) // it is asked every 5 s by now
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

// TestSFURestartsUnseen: it is back before anybody has asked it for anything.
func TestSFURestartsUnseen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		time.Sleep(10 * time.Second)
		w.sfuRestart()
		time.Sleep(300 * time.Millisecond) // the client's next try
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

// TestWhoDoesNotComeBack after an outage leaves without waiting for the next
// ordinary look into the room.
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
