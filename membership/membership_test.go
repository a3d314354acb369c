package membership_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership"
)

// source answers from a function, and counts.
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

func room(t testing.TB, id string) matrix.RoomID {
	t.Helper()
	r, err := matrix.ParseRoomID(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func user(t testing.TB, id string) matrix.UserID {
	t.Helper()
	u, err := matrix.ParseUserID(id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

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
					got, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b"))
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

// TestASlowYesIsNotKeptLonger: its age counts from the question, not from the
// answer.
func TestASlowYesIsNotKeptLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 4 * time.Second}
		l := membership.NewLookup(s)
		for range 2 {
			if got, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b")); !got || err != nil {
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
				if got, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, name)); got || err != nil {
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

// TestOneWhoLeavesEndsNothing: the question goes on for the others.
func TestOneWhoLeavesEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 2 * time.Second}
		l := membership.NewLookup(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var running sync.WaitGroup
		running.Go(func() {
			if _, err := l.IsJoined(ctx, room(t, "!a"), user(t, "@a:b")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("err = %v, want that of its own context", err)
			}
		})
		synctest.Wait()
		if got, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b")); !got || err != nil {
			t.Errorf("got %v, %v, want true", got, err)
		}
		running.Wait()
		if got := s.asked.Load(); got != 1 {
			t.Errorf("asked %d times, want 1", got)
		}
	})
}

func TestAQuestionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := membership.NewLookup(&source{answer: yes, takes: time.Hour})
		start := time.Now()
		if _, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b")); err == nil || time.Since(start) != 10*time.Second {
			t.Errorf("err = %v after %v, want one after 10 s", err, time.Since(start))
		}
	})
}

// TestNobodyWaitsForLonger: not for a turn, either, behind the questions of others.
func TestNobodyWaitsForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := membership.NewLookup(&source{answer: yes, takes: time.Hour})
		var running sync.WaitGroup
		for i := range 300 {
			running.Go(func() {
				start := time.Now()
				_, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, fmt.Sprintf("@%d:b", i)))
				if took := time.Since(start); err == nil || took != 10*time.Second {
					t.Errorf("user %d: err = %v after %v, want one after 10 s", i, err, took)
				}
			})
		}
		running.Wait()
		time.Sleep(time.Minute)
	})
}

// A homeserver that hangs is asked for nobody who has left meanwhile, and what
// waits for it is bounded.
func TestAbandonedQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 9 * time.Second}
		l := membership.NewLookup(s)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var busy atomic.Int32
		for i := range 3000 {
			running.Go(func() {
				_, err := l.IsJoined(ctx, room(t, fmt.Sprintf("!%d", i)), user(t, "@a:b"))
				if _, ok := errors.AsType[*inquiry.BusyError](err); ok {
					busy.Add(1)
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("err = %v, want %v", err, context.Canceled)
				}
			})
		}
		synctest.Wait()
		cancel()
		running.Wait()
		time.Sleep(time.Minute)
		if asked, refused := s.asked.Load(), busy.Load(); asked != 128 || refused != 3000-1024 {
			t.Errorf("of 3000 questions that nobody waited for %d were asked and %d refused, want 128 and 1976", asked, refused)
		}
		if got, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b")); !got || err != nil {
			t.Errorf("afterwards: got %v, %v, want true", got, err)
		}
	})
}

// The invented users of one homeserver keep no user of another one waiting.
func TestOneServerTakesHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 5 * time.Second}
		l := membership.NewLookup(s)
		for i := range 500 {
			go l.IsJoined(t.Context(), room(t, "!a"), user(t, fmt.Sprintf("@%d:crowd", i)))
		}
		synctest.Wait()
		start := time.Now()
		if got, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b")); !got || err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("got %v, %v after %v, want true after 5 s", got, err, time.Since(start))
		}
		time.Sleep(time.Minute)
	})
}

// TestNow: what was said before does not count, nor does a question that began
// before. A no ends the yes that was kept.
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
			if got, err := question(t.Context(), room(t, "!a"), user(t, "@a:b")); got != want || err != nil {
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
				if got, err := l.IsJoinedNow(t.Context(), room(t, "!a"), user(t, "@a:b")); !got || err != nil {
					t.Errorf("got %v, %v, want true", got, err)
				}
			})
			time.Sleep(time.Second) // the first question is under way
		}
		running.Wait()
		if got := s.asked.Load(); got != 2 {
			t.Errorf("asked %d times, want 2", got)
		}
	})
}

func TestNowIsUnknown(t *testing.T) {
	l := membership.NewLookup(&source{answer: unknown})
	if got, err := l.IsJoinedNow(t.Context(), room(t, "!a"), user(t, "@a:b")); got || !errors.Is(err, errUnknown) {
		t.Errorf("got %v, %v, want %v", got, err, errUnknown)
	}
}

func TestForget(t *testing.T) {
	s := &source{answer: yes}
	l := membership.NewLookup(s)
	for range 2 {
		if _, err := l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b")); err != nil {
			t.Fatal(err)
		}
		l.Forget(room(t, "!a"), user(t, "@a:b"))
	}
	if got := s.asked.Load(); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

// TestQuestionsAreNotMixedUp: a server whose name is that of a user's
// id, and a room whose name ends in the other's beginning.
func TestQuestionsAreNotMixedUp(t *testing.T) {
	s := &source{answer: yes}
	l := membership.NewLookup(s)
	server, err := matrix.ParseServerName("b")
	if err != nil {
		t.Fatal(err)
	}
	for _, ask := range []func() (bool, error){
		func() (bool, error) { return l.IsJoined(t.Context(), room(t, "!a"), user(t, "@a:b")) },
		func() (bool, error) { return l.IsJoined(t.Context(), room(t, "!a@"), user(t, "@a:b")) },
		func() (bool, error) { return l.IsServerJoined(t.Context(), room(t, "!a"), server) },
	} {
		if got, err := ask(); !got || err != nil {
			t.Errorf("got %v, %v, want true", got, err)
		}
	}
	if got := s.asked.Load(); got != 3 {
		t.Errorf("asked %d times, want 3", got)
	}
}

// TestMemoryIsBounded: a kept yes takes at most 300 bytes, and there are at most
// 50,000.
func TestMemoryIsBounded(t *testing.T) {
	l := membership.NewLookup(&source{answer: yes})
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const n = 20_000
	before := heap()
	for i := range n {
		if _, err := l.IsJoined(t.Context(), room(t, fmt.Sprintf("!room-of-an-ordinary-length-%d:example.org", i)), user(t, "@someone:example.org")); err != nil {
			t.Fatal(err)
		}
	}
	each := float64(heap()-before) / n
	t.Logf("%.0f bytes for each", each)
	if each > 300 {
		t.Errorf("%.0f bytes for each, want at most 300", each)
	}
	runtime.KeepAlive(l)
}
