package keeper_test

import (
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

func TestHomeserverAway(t *testing.T) {
	for _, result := range []matrix.Result{matrix.ResultFailed, matrix.ResultLimited, matrix.ResultWrongPath, matrix.ResultNeedsToken} {
		t.Run(string(result), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, 18*time.Second)
				time.Sleep(3 * time.Second)
				w.set(func() { w.hsStatus = result })
				time.Sleep(12 * time.Second)
				w.set(func() { w.hsStatus = "" })
				time.Sleep(5 * time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
			})
		})
	}
}

func TestSendIsTriedUntilTheDelayHasPassed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.hsDown = true })
		w.vanish()
		left := time.Now()
		w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		time.Sleep(10 * time.Minute)
		w.set(func() { w.hsDown = false })
		time.Sleep(time.Minute)
		w.wantFate("d1", "sent", left, 10*time.Minute+15*time.Second)
	})
}

func TestGoneAtTheHomeserverEndsTheJob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, 18*time.Second)
		w.set(func() { w.hsStatus = matrix.ResultGone })
		time.Sleep(10 * time.Second)
		if _, err := w.store.Get(t.Context(), key); err == nil {
			t.Error("the job is still stored: got no error, want one")
		}
	})
}

func TestReplacedDelegationIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.delegate("d2", long)
		time.Sleep(time.Second)
		w.wantFate("d1", "cancelled", time.Now(), 0)
		time.Sleep(3 * long)
		w.wantFate("d2", "", time.Time{}, 0)
	})
}
