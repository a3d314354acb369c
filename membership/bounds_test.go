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

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/membership"
)

func TestAQuestionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := membership.NewLookup(&source{answer: yes, takes: time.Hour})
		start := time.Now()
		if _, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); err == nil || time.Since(start) != 10*time.Second {
			t.Errorf("err = %v after %v, want one after 10 s", err, time.Since(start))
		}
	})
}

// TestNobodyWaitsForLonger checks that no caller waits longer than 10 s, even
// if its question has to wait for other questions first.
func TestNobodyWaitsForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := membership.NewLookup(&source{answer: yes, takes: time.Hour})
		var running sync.WaitGroup
		for i := range 300 {
			running.Go(func() {
				start := time.Now()
				_, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, fmt.Sprintf("@%d:b", i)))
				if took := time.Since(start); err == nil || took != 10*time.Second {
					t.Errorf("user %d: err = %v after %v, want one after 10 s", i, err, took)
				}
			})
		}
		running.Wait()
		time.Sleep(time.Minute)
	})
}

// TestAbandonedQuestions checks that a question is not sent to a slow
// homeserver when all its callers have left. It also checks that the number of
// waiting questions is bounded.
func TestAbandonedQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 9 * time.Second}
		l := membership.NewLookup(s)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var busy atomic.Int32
		for i := range 3000 {
			running.Go(func() {
				_, err := l.IsJoined(ctx, matrixtest.RoomID(t, fmt.Sprintf("!%d", i)), matrixtest.UserID(t, "@a:b"))
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
		if got, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); !got || err != nil {
			t.Errorf("afterwards: got %v, %v, want true", got, err)
		}
	})
}

// TestOneServerTakesHalf checks that users whom one homeserver invents do not
// make users of other homeservers wait. The service asks about them with at
// most half of the questions that may run at the same time.
func TestOneServerTakesHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{answer: yes, takes: 5 * time.Second}
		l := membership.NewLookup(s)
		for i := range 500 {
			go l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, fmt.Sprintf("@%d:crowd", i)))
		}
		synctest.Wait()
		start := time.Now()
		if got, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, "!a"), matrixtest.UserID(t, "@a:b")); !got || err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("got %v, %v after %v, want true after 5 s", got, err, time.Since(start))
		}
		time.Sleep(time.Minute)
	})
}

// TestMemoryIsBounded checks that the cache holds at most 50,000 answers, and
// that each takes at most 300 bytes.
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
		if _, err := l.IsJoined(t.Context(), matrixtest.RoomID(t, fmt.Sprintf("!room-of-an-ordinary-length-%d:example.org", i)), matrixtest.UserID(t, "@someone:example.org")); err != nil {
			t.Fatal(err)
		}
	}
	each := float64(heap()-before) / n
	t.Logf("each yes that is kept takes %.0f bytes", each)
	if each > 300 {
		t.Errorf("each yes that is kept takes %.0f bytes, want at most 300", each)
	}
	runtime.KeepAlive(l)
}
