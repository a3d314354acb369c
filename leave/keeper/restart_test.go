package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/sfu"
)

func TestRestartOfTheProgram(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, 18*time.Second)
		w.stop()
		<-w.ended
		time.Sleep(10 * time.Second)
		w.start()
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "", time.Time{}, 0)
		w.vanish()
		left := time.Now()
		w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		time.Sleep(time.Minute)
		w.wantFate("d1", "sent", left, time.Second)
	})
}

func TestUnansweredForAnHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, 18*time.Second)
		w.hours()
		w.set(func() { w.sfuDown = true })
		start := time.Now()
		time.Sleep(3 * long)
		w.wantFate("d1", "fired", start, long+2*time.Minute)
		if _, err := w.store.Get(t.Context(), key); err == nil {
			t.Error("the job is still stored: got no error, want one")
		}
	})
}

func TestManyJobsEndAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 50 {
			w.delegate(fmt.Sprint("d", i), long)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		for i := range 49 {
			w.wantFate(fmt.Sprint("d", i), "cancelled", time.Now(), 0)
		}
	})
}
