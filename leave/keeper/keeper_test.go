package keeper_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

const long = time.Hour

// wantFate checks what became of an event, and that it was within limit of since.
func (w *world) wantFate(id, want string, since time.Time, limit time.Duration) {
	w.t.Helper()
	got, at := w.fate(id)
	if got != want {
		w.t.Errorf("the leave was %q, want %q; calls %q", got, want, w.calls)
	} else if took := at.Sub(since); got != "" && took > limit {
		w.t.Errorf("the leave was %s after %v, want at most %v", got, took, limit)
	}
}

// connected brings a participant into the call with a delegated leave.
func connected(t *testing.T, delay time.Duration) *world {
	w := newWorld(t)
	w.join("S1")
	w.delegate("d1", delay)
	w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
	time.Sleep(100 * time.Millisecond)
	if w.count("restart d1") != 1 {
		t.Errorf("calls %q, want a restart at once", w.calls)
	}
	return w
}

func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestStaysAsLongAsTheParticipant(t *testing.T) {
	for _, delay := range []time.Duration{500 * time.Millisecond, 8 * time.Second, 18 * time.Second, long, 24 * time.Hour} {
		t.Run(delay.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, delay)
				if delay >= long {
					w.hours()
				}
				span := min(5*delay, 40*time.Hour)
				time.Sleep(span)
				w.wantFate("d1", "", time.Time{}, 0)
				// 18 s are restarted within 4.5 s, an hour within 48 min.
				most := span/(min(delay*4/5, max(delay/4, delay-30*time.Second))*9/10) + 2
				if got := w.count("restart d1"); got > int(most) {
					t.Errorf("%d restarts in %v, want at most %d", got, span, most)
				}
			})
		})
	}
}

func TestClearLeaveIsSentAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		left := time.Now()
		w.vanish()
		w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		time.Sleep(10 * time.Second)
		w.wantFate("d1", "sent", left, 200*time.Millisecond)
		if _, err := w.store.Get(t.Context(), key); err == nil {
			t.Error("the job is still stored")
		}
	})
}

func TestLeaveOfAnotherReasonHasAGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		left := time.Now()
		w.vanish()
		w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
		time.Sleep(900 * time.Millisecond)
		w.wantFate("d1", "", left, 0)
		time.Sleep(10 * time.Second)
		w.wantFate("d1", "sent", left, 1500*time.Millisecond)
	})
}

func TestComingBackWithinTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.vanish()
		w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
		time.Sleep(500 * time.Millisecond)
		w.join("S2") // no webhook of it arrives
		time.Sleep(time.Minute)
		w.wantFate("d1", "", time.Time{}, 0)
		left := time.Now()
		w.vanish()
		w.report(sfu.KindLeft, "S2", sfu.ReasonClear)
		time.Sleep(time.Minute)
		w.wantFate("d1", "sent", left, time.Second)
	})
}

func TestSameIdentityJoinsAgain(t *testing.T) {
	reports := map[string]func(w *world){
		"in order": func(w *world) {
			w.report(sfu.KindLeft, "S1", sfu.ReasonOther)
			w.report(sfu.KindJoined, "S2", sfu.ReasonOther)
		},
		"left comes last": func(w *world) {
			w.report(sfu.KindJoined, "S2", sfu.ReasonOther)
			w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		},
		"left twice, and without a sid": func(w *world) {
			w.report(sfu.KindJoined, "S2", sfu.ReasonOther)
			w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
			w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
			w.report(sfu.KindLeft, "", sfu.ReasonClear)
		},
		"an unknown session left": func(w *world) { w.report(sfu.KindLeft, "S9", sfu.ReasonClear) },
		"joined is lost":          func(w *world) { w.report(sfu.KindLeft, "S1", sfu.ReasonClear) },
		"both are lost":           func(*world) {},
	}
	for name, report := range reports {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := connected(t, long)
				w.join("S2")
				report(w)
				time.Sleep(10 * time.Minute)
				w.wantFate("d1", "", time.Time{}, 0)
				w.vanish()
				left := time.Now()
				w.report(sfu.KindLeft, "S2", sfu.ReasonClear)
				time.Sleep(2 * time.Minute)
				w.wantFate("d1", "sent", left, 2*time.Second)
			})
		})
	}
}

func TestLeftBeforeJoined(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.delegate("d1", long)
		w.report(sfu.KindLeft, "S1", sfu.ReasonClear)
		w.report(sfu.KindJoined, "S1", sfu.ReasonOther)
		time.Sleep(long + time.Second)
		got, _ := w.fate("d1")
		if got == "" {
			t.Error("the member of a client that came and went stays")
		}
	})
}

func TestLostWebhook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := connected(t, long)
		w.vanish()
		left := time.Now()
		time.Sleep(5 * time.Minute)
		w.wantFate("d1", "sent", left, 80*time.Second)
	})
}

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

func TestNobodyComes(t *testing.T) {
	for _, delay := range []time.Duration{18 * time.Second, long, 24 * time.Hour} {
		t.Run(delay.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				start := time.Now()
				w.delegate("d1", delay)
				limit := min(delay, long)
				time.Sleep(limit - time.Second)
				w.wantFate("d1", "", start, 0)
				time.Sleep(time.Minute)
				w.wantFate("d1", "sent", start, limit+2*time.Second)
			})
		})
	}
}

func TestAbortedConnectionShortensTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.delegate("d1", long)
		start := time.Now()
		w.report(sfu.KindAborted, "S1", sfu.ReasonOther)
		time.Sleep(50 * time.Second)
		w.wantFate("d1", "", start, 0)
		time.Sleep(time.Minute)
		w.wantFate("d1", "sent", start, 62*time.Second)
	})
}

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
			t.Error("the job is still stored")
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
			t.Error("the job is still stored")
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
