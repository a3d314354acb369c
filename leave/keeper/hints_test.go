package keeper_test

import (
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// TestCameAndWentUnseen has a participant who comes and leaves between two questions to
// the SFU. The keeper must send the leave soon. Only for a participant who has never
// come may the keeper wait for an hour.
func TestCameAndWentUnseen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.delegate("d1", long)
		time.Sleep(70 * time.Second) // after this time, the keeper asks the SFU only once a minute
		w.join("S1")
		time.Sleep(5 * time.Second)
		w.vanish()
		left := time.Now()
		w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
		time.Sleep(50 * time.Second)
		w.wantFate("d1", "", left, 0)
		time.Sleep(time.Minute)
		w.wantFate("d1", "sent", left, 62*time.Second)
	})
}

// TestReportsDoNotHurryASend checks that the keeper repeats a send only after the
// homeserver's Retry-After, even if webhooks arrive.
func TestReportsDoNotHurryASend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.hsStatus, w.retryAfter = matrix.ResultLimited, time.Minute })
		w.vanish()
		w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		time.Sleep(time.Second)
		for range 10 {
			w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
			w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
			time.Sleep(time.Second)
		}
		if n := w.count("send d1"); n != 1 {
			t.Errorf("got %d sends within the minute, want 1", n)
		}
	})
}

// TestStartLooksIntoEveryRoom checks that the keeper asks the SFU who is in each room
// right after it has started. While no keeper ran, a participant vanished, and nobody
// could receive the webhook about this.
func TestStartLooksIntoEveryRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		time.Sleep(30 * time.Second)
		w.stop()
		<-w.ended
		w.vanish()
		time.Sleep(time.Second)
		w.start()
		started := time.Now()
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "sent", started, grace.Confirm+3*time.Second)
	})
}
