package keeper_test

import (
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// TestCameAndWentUnseen has a participant who comes and leaves between two
// questions to the SFU. The job must not wait for the rest of the hour that a
// participant has to come.
func TestCameAndWentUnseen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.delegate("d1", long)
		time.Sleep(70 * time.Second) // by now the questions to the SFU are a minute apart
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

// TestReportsDoNotHurryASend checks that webhooks do not make the keeper repeat a
// send sooner than the homeserver's Retry-After allows.
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

// TestStartLooksIntoEveryRoom checks that the keeper asks who is in each room right
// after a start. Webhooks may have come while no process was running.
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
