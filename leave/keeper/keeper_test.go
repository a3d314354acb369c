package keeper_test

import (
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/sfu"
)

const long = time.Hour

// wantFate checks what became of the delayed event with the given id. The argument want
// is "sent", "fired" or "cancelled". It is "" if the event must still be waiting. If the
// event was sent, fired or cancelled, this must have happened at most limit later than
// the time since.
func (w *world) wantFate(id, want string, since time.Time, limit time.Duration) {
	w.t.Helper()
	got, at := w.fate(id)
	if got != want {
		w.t.Errorf("the fate of the leave %s: got %q, want %q; the homeserver got the calls %q", id, got, want, w.calls)
	} else if took := at.Sub(since); got != "" && took > limit {
		w.t.Errorf("the leave %s was %s after %v, want at most %v", id, got, took, limit)
	}
}

// connected returns a world (test set-up) with a participant in the call. The
// participant has delegated the leave d1 with the given delay.
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
				// The keeper restarts a leave with a delay of 18 s every 4.5 s, and a leave
				// with a delay of an hour every 48 min (leave.Period). It shortens each of
				// these periods by up to a tenth.
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
			t.Error("the job is still stored: got no error, want one")
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
		w.join("S2") // the service gets no webhook about this session
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
			t.Error("the leave of a client that came and went: got it still waiting after an hour, want it sent or fired")
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
