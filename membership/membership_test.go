package membership_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership"
)

// source is a [membership.Source] that calls the function answer, and counts
// the questions.
type source struct {
	asked  atomic.Int32
	answer func() (bool, error)
	takes  time.Duration
}

func (s *source) IsJoined(ctx context.Context, _ matrix.RoomID, _ matrix.UserID) (bool, error) {
	s.asked.Add(1)
	select {
	case <-time.After(s.takes):
		return s.answer()
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (s *source) IsServerJoined(ctx context.Context, room matrix.RoomID, _ matrix.ServerName) (bool, error) {
	return s.IsJoined(ctx, room, matrix.UserID{})
}

func yes() (bool, error) { return true, nil }
func no() (bool, error)  { return false, nil }

var errUnknown = errors.New("no answer")

func unknown() (bool, error) { return true, errUnknown }

func TestAYesIsKeptForFiveSeconds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func() (bool, error)
		after  time.Duration
		want   int32
	}{
		{"yes, at once", yes, 0, 1},
		{"yes, a moment later", yes, 4900 * time.Millisecond, 1},
		{"yes, too old", yes, 5 * time.Second, 2},
		{"yes, two generations later", yes, 11 * time.Second, 2},
		{"no", no, 0, 2},
		{"unknown", unknown, 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &source{answer: tt.answer}
				l := membership.NewLookup(s)
				want, wantErr := tt.answer()
				for range 2 {
					got, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b"))
					if got != (want && wantErr == nil) || !errors.Is(err, wantErr) {
						t.Errorf("got %v, %v, want %v, %v", got, err, want, wantErr)
					}
					time.Sleep(tt.after)
				}
				if got := s.asked.Load(); got != tt.want {
					t.Errorf("asked %d times, want %d", got, tt.want)
				}
			})
		})
	}
}

// TestASlowYesIsNotKeptLonger checks that the age of a "yes" counts from its
// question, not from its answer.
func TestASlowYesIsNotKeptLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 4 * time.Second}
		l := membership.NewLookup(s)
		for range 2 {
			if got, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); !got || err != nil {
				t.Errorf("got %v, %v, want true", got, err)
			}
			time.Sleep(2 * time.Second)
		}
		if got := s.asked.Load(); got != 2 {
			t.Errorf("asked %d times, want 2", got)
		}
	})
}

func TestEqualQuestionsShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: no, takes: time.Second}
		l := membership.NewLookup(s)
		var running sync.WaitGroup
		for i := range 100 {
			running.Go(func() {
				name := fmt.Sprintf("@user%d:b", i%2)
				if got, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, name)); got || err != nil {
					t.Errorf("got %v, %v, want false", got, err)
				}
			})
		}
		running.Wait()
		if got := s.asked.Load(); got != 2 {
			t.Errorf("asked %d times for two questions, want 2", got)
		}
	})
}

// TestOneWhoLeavesEndsNothing checks that a question goes on for the other
// callers when one caller leaves.
func TestOneWhoLeavesEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 2 * time.Second}
		l := membership.NewLookup(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var running sync.WaitGroup
		running.Go(func() {
			if _, err := l.IsJoined(ctx, matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("err = %v, want that of its own context", err)
			}
		})
		synctest.Wait()
		if got, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); !got || err != nil {
			t.Errorf("got %v, %v, want true", got, err)
		}
		running.Wait()
		if got := s.asked.Load(); got != 1 {
			t.Errorf("asked %d times, want 1", got)
		}
	})
}

func TestForget(t *testing.T) {
	s := &source{answer: yes}
	l := membership.NewLookup(s)
	for range 2 {
		if _, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); err != nil {
			t.Fatal(err)
		}
		l.Forget(matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b"))
	}
	if got := s.asked.Load(); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

// TestQuestionsAreNotMixedUp checks questions with similar parts: a server
// whose name is a user id, and pairs of a room and a user whose texts are the
// same when put together.
func TestQuestionsAreNotMixedUp(t *testing.T) {
	s := &source{answer: yes}
	l := membership.NewLookup(s)
	server, err := matrix.ParseServerName("b")
	if err != nil {
		t.Fatal(err)
	}
	for _, ask := range []func() (bool, error){
		func() (bool, error) {
			return l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b"))
		},
		func() (bool, error) {
			return l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a@"), matrixtest.UserID(t, "@a:b"))
		},
		func() (bool, error) { return l.IsServerJoined(t.Context(), matrixtest.RoomID(t, "!a"), server) },
	} {
		if got, err := ask(); !got || err != nil {
			t.Errorf("got %v, %v, want true", got, err)
		}
	}
	if got := s.asked.Load(); got != 3 {
		t.Errorf("asked %d times, want 3", got)
	}
}
