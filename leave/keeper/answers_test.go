package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

func TestSupersededIsAcceptedAndCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		earlier := another(t, 1, long)
		earlier.DelayID = delayID(t, "earlier")
		time.Sleep(time.Second)
		later := another(t, 1, long)
		w.wantLimit("", later, many)
		w.wantLimit("", earlier, many)
		w.wantLimit("", earlier, many)
		got, err := s.Get(t.Context(), later.Key)
		if err != nil || got.DelayID != later.DelayID || !slices.Equal(got.Replaces, []matrix.DelayID{earlier.DelayID}) {
			t.Errorf("stored: got %q, to cancel %q (%v), want %q and %q", got.DelayID, got.Replaces, err, later.DelayID, earlier.DelayID)
		}
		if due := got.Due(); due.After(time.Now()) {
			t.Errorf("the stored job is due in %v, want it due now", time.Until(due))
		}
	})
}

// TestSupersededByItself delegates the same leave twice at the same time. The job must
// keep what the keeper knows of its participant.
func TestSupersededByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		earlier := another(t, 1, long)
		time.Sleep(time.Second)
		w.wantLimit("", another(t, 1, long), many)
		stored, err := s.Get(t.Context(), earlier.Key)
		if err == nil {
			stored.RoomSeen = time.Now().Truncate(time.Millisecond)
			stored, err = s.Save(t.Context(), stored)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.wantLimit("", earlier, many)
		if got, err := s.Get(t.Context(), earlier.Key); err != nil || !got.RoomSeen.Equal(stored.RoomSeen) || !got.Same(stored) {
			t.Errorf("stored: got %+v, %v, want %+v", got, err, stored)
		}
	})
}

// TestSupersededByWhatHasEnded stores a later delegation, and then delegates an earlier
// one of the same participant. The later job ends before the keeper can add the earlier
// leave to it. Then the keeper must store the earlier delegation.
func TestSupersededByWhatHasEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		earlier := another(t, 1, long)
		time.Sleep(time.Second)
		later := another(t, 1, long)
		later.DelayID = delayID(t, "later")
		w.wantLimit("", later, many)
		gets := 0
		s.before = func(_ context.Context, call string) error {
			if call != "Get" {
				return nil
			}
			// the first Get looks for a job that the delegation replaces
			if gets++; gets == 2 {
				stored, err := s.Store.Get(t.Context(), later.Key)
				if err == nil {
					err = s.Delete(t.Context(), stored)
				}
				if err != nil {
					t.Errorf("Get and Delete of %v: got %v, want no error", later.Key, err)
				}
			}
			return nil
		}
		w.wantLimit("", earlier, many)
		if got, err := s.Store.Get(t.Context(), earlier.Key); err != nil || got.DelayID != earlier.DelayID {
			t.Errorf("stored: got %q (%v), want %q", got.DelayID, err, earlier.DelayID)
		}
	})
}

// TestReportLosesEveryRace has a store in which each Save fails, because another writer
// was faster. Report must return an error, so that the SFU sends the webhook again.
func TestReportLosesEveryRace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		w.wantLimit("", leave.New(key, user(t), delayID(t, "d1"), long, time.Now()), many)
		s.before = func(_ context.Context, call string) error {
			if call == "Save" {
				return leave.ErrConflict
			}
			return nil
		}
		if err := w.keeper.Report(t.Context(), sfu.Event{Kind: sfu.KindJoined, Room: key.Room, Identity: key.Identity, Session: "S1"}); !errors.Is(err, leave.ErrAway) {
			t.Errorf("Report: got %v, want ErrAway, so that the SFU repeats the webhook", err)
		}
	})
}

// lost replaces the error of Put by a timeout, as if the store's answer had not
// arrived.
func lost(error) error { return context.DeadlineExceeded }

// TestLostAnswer has a delegation that fails although the store has written its job.
// This job must not remain in the store.
func TestLostAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		s.after = lost
		job := another(t, 1, long)
		if err := w.keeper.Delegate(t.Context(), job, many); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Delegate: got %v, want %v", err, context.DeadlineExceeded)
		}
		time.Sleep(time.Second)
		if _, err := s.Get(t.Context(), job.Key); !errors.Is(err, leave.ErrNotFound) {
			t.Errorf("Get: got %v, want %v", err, leave.ErrNotFound)
		}
	})
}

// TestLostAnswerAndAgain has a delegation that fails although the store has written its
// job. Before the keeper removes this job, the client delegates again. The keeper must
// not remove the job of the second delegation.
func TestLostAnswerAndAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		s.after = lost
		// Stores keep times in whole milliseconds. Because of this sleep, the time at
		// which the job begins has a fraction of a millisecond, which the store cuts off.
		time.Sleep(300 * time.Microsecond)
		job := another(t, 1, long)
		var gets atomic.Int32
		s.before = func(_ context.Context, call string) error {
			if call == "Get" {
				if gets.Add(1) == 2 { // the keeper makes this second Get because it wants to remove the job
					s.after = nil
					time.Sleep(time.Millisecond)
					if _, err := s.Store.Put(t.Context(), another(t, 1, long)); err != nil {
						t.Errorf("Put: got %v, want no error", err)
					}
				}
			}
			return nil
		}
		if err := w.keeper.Delegate(t.Context(), job, many); err == nil {
			t.Error("Delegate with a lost answer: got no error, want one")
		}
		time.Sleep(time.Second)
		if _, err := s.Get(t.Context(), job.Key); err != nil {
			t.Errorf("the second delegation is removed, too: got %v, want no error", err)
		}
	})
}

// TestLostAnswerOfAReplacement has a delegation that fails after its job has replaced
// another job in the store. The keeper must keep the new job. Without it, nobody would
// restart or cancel the replaced leave. That leave would fire and end the membership of
// a participant who is there.
func TestLostAnswerOfAReplacement(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		w.wantLimit("", another(t, 1, long), many)
		for _, id := range []string{"later", "d1"} {
			time.Sleep(time.Second)
			s.after = lost
			later := another(t, 1, long)
			later.DelayID = delayID(t, id)
			if err := w.keeper.Delegate(t.Context(), later, many); err == nil {
				t.Error("the answer was not lost: got no error, want one")
			}
			time.Sleep(time.Second)
			if got, err := s.Get(t.Context(), later.Key); err != nil || got.DelayID != later.DelayID {
				t.Errorf("stored: got %q (%v), want %q", got.DelayID, err, id)
			}
		}
	})
}

func TestCallerGoesAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		s.before = taking(100 * time.Millisecond)
		gone, cancel := context.WithCancel(t.Context())
		time.AfterFunc(150*time.Millisecond, cancel)
		job := another(t, 1, long)
		if err := w.keeper.Delegate(gone, job, many); err != nil {
			t.Errorf("Delegate: got %v, want no error", err)
		}
		if err := w.keeper.Report(gone, sfu.Event{Kind: sfu.KindJoined, Room: job.Room, Identity: job.Identity, Session: "S1"}); err != nil {
			t.Errorf("Report: got %v, want no error", err)
		}
		if got, err := s.Get(t.Context(), job.Key); err != nil || got.Session != "S1" {
			t.Errorf("stored: got %+v, %v, want the session S1", got, err)
		}
	})
}

func TestReportOfAnUnknownParticipant(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		report := sfu.Event{Room: key.Room, Identity: key.Identity, Kind: sfu.KindLeft, Session: "S1", Reason: sfu.ReasonClear}
		if err := w.keeper.Report(t.Context(), report); err != nil {
			t.Errorf("Report about a participant without a job: got %v, want no error", err)
		}
		unknown := fmt.Errorf("%w in the memory of this process, and %w", leave.ErrNotFound, leave.ErrAway)
		s.before = func(context.Context, string) error { return unknown }
		if err := w.keeper.Report(t.Context(), report); !errors.Is(err, leave.ErrAway) {
			t.Errorf("Report: %v, want ErrAway, so that it comes again", err)
		}

		// The store stops answering after Report has read the job, and before it
		// writes the job.
		s.before = nil
		w.wantLimit("", leave.New(key, user(t), delayID(t, "d1"), long, time.Now()), many)
		s.before = func(_ context.Context, call string) error {
			if call == "Save" {
				s.before = func(context.Context, string) error { return unknown }
				return leave.ErrConflict
			}
			return nil
		}
		if err := w.keeper.Report(t.Context(), report); !errors.Is(err, leave.ErrAway) {
			t.Errorf("Report: %v, want ErrAway, so that it comes again", err)
		}
	})
}

// TestLeaseThatIsOver has a slow store: when the keeper gets its claimed jobs, their
// leases have ended. The keeper must do nothing for these jobs, because another process
// may have claimed them.
func TestLeaseThatIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, s := accepting(t)
		for _, id := range []string{"d1", "d2"} {
			w.schedule(id, long)
			if _, err := s.Put(t.Context(), leave.New(key, user(t), delayID(t, id), long, time.Now())); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		s.before = func(ctx context.Context, call string) error {
			if call == "Claim" {
				return taking(11*time.Second)(ctx, call)
			}
			return nil
		}
		w.start()
		time.Sleep(2 * time.Minute)
		w.set(func() {
			if len(w.calls) > 0 {
				t.Errorf("requests: got %q, want none", w.calls)
			}
		})
	})
}
