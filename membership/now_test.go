package membership_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/membership"
)

// TestNow checks that IsJoinedNow uses no cached answer. If the answer is "no",
// IsJoinedNow drops the cached "yes".
func TestNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: time.Second}
		l := membership.NewLookup(s)
		ask := func(now bool, want bool) {
			t.Helper()
			question := l.IsJoined
			if now {
				question = l.IsJoinedNow
			}
			if got, err := question(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); got != want || err != nil {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		}
		ask(false, true)
		ask(true, true)
		if got := s.asked.Load(); got != 2 {
			t.Errorf("asked %d times, want 2: the first yes is not asked for again", got)
		}
		ask(false, true)
		s.answer = no
		ask(true, false)
		ask(false, false)
		if got := s.asked.Load(); got != 4 {
			t.Errorf("asked %d times, want 4: a yes was kept beside a no", got)
		}
	})
}

func TestNowBeginsAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 2 * time.Second}
		l := membership.NewLookup(s)
		var running sync.WaitGroup
		for range 2 {
			running.Go(func() {
				if got, err := l.IsJoinedNow(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); !got || err != nil {
					t.Errorf("got %v, %v, want true", got, err)
				}
			})
			time.Sleep(time.Second) // the second question comes while the first is in progress
		}
		running.Wait()
		if got := s.asked.Load(); got != 2 {
			t.Errorf("asked %d times, want 2", got)
		}
	})
}

func TestNowIsUnknown(t *testing.T) {
	l := membership.NewLookup(&source{answer: unknown})
	if got, err := l.IsJoinedNow(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); got || !errors.Is(err, errUnknown) {
		t.Errorf("got %v, %v, want %v", got, err, errUnknown)
	}
}
