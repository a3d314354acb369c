package keeper_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// TestReplacedIsCancelledAfterTheEnd replaces a leave by another one. The job of the
// new leave ends before the old leave is cancelled. The keeper must still cancel the
// old leave. Otherwise the old leave would fire, and end the membership of a
// participant who is back.
func TestReplacedIsCancelledAfterTheEnd(t *testing.T) {
	ends := map[string]func(w *world){
		"sent": func(w *world) {
			w.vanish()
			w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		},
		"gone at the homeserver": func(w *world) {
			w.set(func() { w.events["d2"].over = "sent" })
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, long)
				w.set(func() { w.hsStatus = matrix.ResultFailed })
				w.delegate("d2", long)
				time.Sleep(2 * time.Second)
				w.set(func() { w.hsStatus = "" })
				end(w)
				time.Sleep(time.Minute)
				w.wantFate("d1", "cancelled", time.Now(), 0)
				if _, err := w.store.Get(t.Context(), key); !errors.Is(err, leave.ErrNotFound) {
					t.Errorf("Get: got %v, want %v", err, leave.ErrNotFound)
				}
			})
		})
	}
}

// TestReplacedIsCancelledInTime replaces a leave by another one while the homeserver
// fails for some seconds. The keeper must cancel the old leave before that leave fires.
func TestReplacedIsCancelledInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, 8*time.Second)
		time.Sleep(1800 * time.Millisecond)
		w.set(func() { w.failing = "cancel" })
		w.delegate("d2", 8*time.Second)
		time.Sleep(5500 * time.Millisecond)
		w.set(func() { w.failing = "" })
		time.Sleep(time.Minute)
		w.wantFate("d1", "cancelled", time.Now(), 0)
	})
}

// TestReplacedIsCancelledByTheNext replaces a leave by another one, and the job of the
// new leave ends. Then the client delegates a third leave. The keeper must still cancel
// the first leave.
func TestReplacedIsCancelledByTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.hsStatus = matrix.ResultFailed })
		w.delegate("d2", long)
		time.Sleep(2 * time.Second)
		w.set(func() { w.hsStatus, w.events["d2"].over = "", "sent" })
		time.Sleep(300 * time.Millisecond)
		w.join("S2")
		w.delegate("d3", long)
		w.report(sfu.KindJoined, "S2", sfu.ReasonOther)
		time.Sleep(2 * long)
		w.wantFate("d1", "cancelled", time.Now(), 0)
		w.wantFate("d3", "", time.Time{}, 0)
	})
}

// TestCancellingIsNoLeave has a job in the state Cancelling, and its participant comes
// back. The keeper must neither restart nor send the job's own leave.
func TestCancellingIsNoLeave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.failing = "cancel" })
		w.schedule("d2", long)
		w.set(func() { w.events["d2"].over = "sent" })
		w.wantDelegated("d2") // the event d2 is no longer there, and the keeper must find that out
		time.Sleep(5 * time.Second)
		w.set(func() { w.calls = nil })
		w.join("S2")
		w.report(sfu.KindJoined, "S2", sfu.ReasonOther)
		w.report(sfu.KindLeft, "S2", sfu.ReasonClear)
		time.Sleep(10 * time.Minute)
		if w.count("restart d2") > 0 || w.count("send d2") > 0 || w.count("cancel d1") == 0 {
			t.Errorf("the homeserver got the calls %q, want only the cancelling of d1", w.calls)
		}
		time.Sleep(2 * long)
		if _, err := w.store.Get(t.Context(), key); !errors.Is(err, leave.ErrNotFound) {
			t.Errorf("Get: got %v, want %v: nothing is cancelled for ever", err, leave.ErrNotFound)
		}
	})
}

// wantDelegated delegates a leave that the homeserver already has, and checks that the
// keeper accepts it. The argument id is the leave's delay id.
func (w *world) wantDelegated(id string) {
	w.t.Helper()
	w.wantLimit("", leave.New(key, user(w.t), delayID(w.t, id), long, time.Now()), many)
}

// TestDelegatedAgain delegates the same leave twice. After the second delegation, the
// keeper must restart the leave immediately. The job must keep what is known about its
// participant.
func TestDelegatedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		time.Sleep(40 * time.Minute)
		w.set(func() { w.sfuDown, w.calls = true, nil })
		time.Sleep(time.Second)
		w.wantDelegated("d1")
		time.Sleep(time.Second)
		if n := w.count("restart d1"); n != 1 {
			t.Errorf("%d restarts, want one at once", n)
		}
		time.Sleep(50 * time.Minute)
		w.wantFate("d1", "", time.Time{}, 0)
		w.set(func() { w.sfuDown, w.roomAt = false, time.Time{} })
		time.Sleep(6 * time.Second)
		w.wantCreated(1)
	})
}

// TestDelegatedInAnOutage delegates a leave while the SFU is away. The keeper must
// restart the leave immediately, because it does not know when the client scheduled the
// leave.
func TestDelegatedInAnOutage(t *testing.T) {
	for name, known := range map[string]bool{"in place of another": true, "the first": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				if known {
					w.join("S1")
					w.delegate("d1", long)
					w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
					time.Sleep(time.Minute)
				}
				w.set(func() { w.sfuDown, w.roomAt = true, time.Time{} })
				w.vanish()
				time.Sleep(time.Second)
				w.delegate("d2", 18*time.Second)
				time.Sleep(time.Second)
				if n := w.count("restart d2"); n != 1 {
					t.Errorf("%d restarts, want one at once", n)
				}
				time.Sleep(time.Minute)
				w.set(func() { w.sfuDown = false })
				time.Sleep(6 * time.Second)
				if known {
					w.wantCreated(1)
				}
				w.join("S2")
				time.Sleep(2 * long)
				w.wantFate("d2", "", time.Time{}, 0)
			})
		})
	}
}

func (w *world) wantCreated(n int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.created) != n {
		w.t.Errorf("the SFU was asked to create the rooms %q, want %d of them", w.created, n)
	}
}

// TestDelegatedAgainWhileItIsSent delegates a leave again while the keeper is about to
// send it. The keeper must not send the leave, because the client is about to come
// back.
func TestDelegatedAgainWhileItIsSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.hsDown = true })
		w.vanish()
		w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
		time.Sleep(time.Minute)
		w.wantDelegated("d1")
		w.set(func() { w.hsDown = false })
		time.Sleep(20 * time.Second)
		w.join("S2")
		time.Sleep(2 * long)
		w.wantFate("d1", "", time.Time{}, 0)
	})
}

// TestTooManyReplaced checks a job with 8 replaced leaves that are not cancelled yet. A
// job must not have more of them, so the keeper must refuse a new delegation.
func TestTooManyReplaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.set(func() { w.hsStatus = matrix.ResultFailed })
		for i := 2; i <= 9; i++ {
			w.delegate(fmt.Sprint("d", i), long)
			time.Sleep(time.Millisecond)
		}
		w.wantLimit("replaced", leave.New(key, user(t), delayID(t, "d10"), long, time.Now()), many)
		earlier := leave.New(key, user(t), delayID(t, "d0"), long, time.Now().Add(-time.Minute))
		w.wantLimit("replaced", earlier, many)
		w.set(func() { w.hsStatus = "" })
		time.Sleep(3 * long)
		for i := 1; i <= 8; i++ {
			w.wantFate(fmt.Sprint("d", i), "cancelled", time.Now(), 0)
		}
		w.wantFate("d9", "", time.Time{}, 0)
	})
}
