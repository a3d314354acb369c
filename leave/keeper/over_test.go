package keeper_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// TestLongInterval has a keeper that seldom asks who is in the rooms. No job may end
// only because of this.
func TestLongInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.tick = time.Second
		w.again(24 * time.Hour)
		time.Sleep(30 * time.Hour)
		w.wantFate("d1", "", time.Time{}, 0)
		w.vanish()
		left := time.Now()
		time.Sleep(time.Hour)
		w.wantFate("d1", "sent", left, 11*time.Minute)
	})
}

// TestStoreAwayForHours has a store that is away for hours, while no process has a copy
// of the job. When the store is back, the keeper must ask the SFU about the participant
// before it may end the job.
func TestStoreAwayForHours(t *testing.T) {
	for _, delay := range []time.Duration{long, 24 * time.Hour} {
		t.Run(delay.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				w.tick = time.Second
				var away atomic.Bool
				away.Store(true)
				w.degraded = away.Load
				w.again(time.Minute)
				w.join("S1")
				w.schedule("d1", 24*time.Hour) // with a shorter delay, the event would fire in this test, because no client restarts it
				job := leave.New(key, user(t), delayID(t, "d1"), delay, time.Now()).Joined(time.Now(), "S1")
				time.Sleep(3 * time.Hour)
				if _, err := w.store.Put(t.Context(), job); err != nil {
					t.Fatal(err)
				}
				away.Store(false)
				time.Sleep(time.Minute)
				if _, err := w.store.Get(t.Context(), key); err != nil {
					t.Errorf("the job has ended: got %v, want no error", err)
				}
				if w.count("restart d1") == 0 {
					t.Error("got no restart of d1, want some")
				}
			})
		})
	}
}

// TestAnHourWithoutAnAnswer checks that the keeper ends a job if it could not find out
// for an hour whether the participant is there.
func TestAnHourWithoutAnAnswer(t *testing.T) {
	down := func(w *world) { w.sfuDown = true }
	for name, c := range map[string]struct {
		silence func(w *world)
		for_    time.Duration
		kept    bool
	}{
		"away for less":             {down, 58 * time.Minute, true},
		"away for more":             {down, 62 * time.Minute, false},
		"away behind a proxy":       {func(w *world) { w.fault = failing(sfu.CauseStatus, false, questions...) }, 63 * time.Minute, false},
		"half of it behind a proxy": {func(w *world) { w.fault = failing(sfu.CauseStatus, false, "Session", "Sessions") }, 63 * time.Minute, false},
		"one room for less":         {func(w *world) { w.fault = failing(sfu.CauseStatus, true, "Session", "Sessions") }, 58 * time.Minute, true},
		"one room for more":         {func(w *world) { w.fault = failing(sfu.CauseStatus, true, "Session", "Sessions") }, 63 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, 18*time.Second)
				w.hours()
				time.Sleep(2 * long)
				w.set(func() { c.silence(w) })
				time.Sleep(c.for_)
				w.set(func() { w.sfuDown, w.fault = false, nil })
				time.Sleep(time.Minute)
				if _, err := w.store.Get(t.Context(), key); errors.Is(err, leave.ErrNotFound) == c.kept {
					t.Errorf("after %v: got %v, want the job kept: %t", c.for_, err, c.kept)
				}
			})
		})
	}
}

// TestDelegatedLateInAnOutage delegates leaves late in an outage of the SFU. A job
// without an answer of the SFU ends after an hour. This hour must begin at the
// delegation.
func TestDelegatedLateInAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.hours()
		w.set(func() { w.sfuDown = true })
		for i := range 4 {
			w.delegate(fmt.Sprint("d", i), 24*time.Hour)
			time.Sleep(50 * time.Minute)
			w.wantFate(fmt.Sprint("d", i), "", time.Time{}, 0)
			if _, err := w.store.Get(t.Context(), key); err != nil {
				t.Fatalf("d%d: got %v, want no error", i, err)
			}
		}
	})
}
