package semaphore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		bounds Bounds
		keys   string // one attempt after another; each letter is a key
		want   string // the keys that got a permit
	}{
		{"none", Bounds{}, "aaaaab", "aaaaab"},
		{"total", Bounds{Total: 3}, "aabc", "aab"},
		{"per key", Bounds{PerKey: 2}, "aaabbb", "aabb"},
		{"both", Bounds{Total: 3, PerKey: 2}, "aaabbc", "aab"},
		{"share of nobody else", Bounds{Total: 8, Share: 1}, "aaaaaaaa", "aaaa"},
		{"share of late ones", Bounds{Total: 8, Share: 1}, "aaaaaabbccdef", "aaaabcde"},
		{"share of two", Bounds{Total: 8, Share: 2}, "aaaaaabbbccc", "aaaabbcc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New[rune](c.bounds)
			var got []rune
			for _, key := range c.keys {
				if _, ok := s.TryAcquire(key); ok {
					got = append(got, key)
				}
			}
			if string(got) != c.want {
				t.Errorf("%q asked, %q got a permit, want %q", c.keys, string(got), c.want)
			}
		})
	}
}

func TestAcquireWaitsUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[string](Bounds{PerKey: 1})
		release, err := s.Acquire(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = s.Acquire(ctx, "a")
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("a permit that nobody gives back: %v after %v, want %v after 1s", err, took, context.DeadlineExceeded)
		}
		release()
		if _, err := s.Acquire(ctx, "a"); err != nil {
			t.Errorf("a free permit, and a context that has ended: got %v, want no error", err)
		}
	})
}

// TestWaitersHoldNothing checks that callers that wait hold no permits that
// other keys could use.
func TestWaitersHoldNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[string](Bounds{Total: 3, PerKey: 1})
		for range 10 {
			go s.Acquire(t.Context(), "slow")
		}
		synctest.Wait()
		for _, key := range []string{"b", "c"} {
			if _, ok := s.TryAcquire(key); !ok {
				t.Errorf("TryAcquire(%s): got no permit, want one", key)
			}
		}
	})
}

// TestOrder checks that callers of one key get permits in the order in which
// they came, and that keys take turns.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[string](Bounds{Total: 1})
		release, _ := s.TryAcquire("x")
		order := make(chan string, 100)
		wait := func(key string, number int) {
			go func() {
				release, err := s.Acquire(t.Context(), key)
				if err != nil {
					t.Errorf("Acquire(%s): got %v, want no error", key, err)
					return
				}
				order <- fmt.Sprint(key, number)
				release()
			}()
			synctest.Wait()
		}
		for i := range 3 {
			wait("a", i)
		}
		wait("b", 0)
		wait("b", 1)
		wait("c", 0)
		release()
		synctest.Wait()
		close(order)
		var got []string
		for name := range order {
			got = append(got, name)
		}
		if want := []string{"a0", "b0", "c0", "a1", "b1", "a2"}; !slices.Equal(got, want) {
			t.Errorf("permits went to %q, want %q", got, want)
		}
	})
}

// TestAPermitThatComesTooLate checks that no permit is lost if a waiter's context
// ends at the moment at which a permit becomes free.
func TestAPermitThatComesTooLate(t *testing.T) {
	s := New[int](Bounds{Total: 1})
	for i := range 2000 {
		release, ok := s.TryAcquire(0)
		if !ok {
			t.Fatalf("round %d: got no permit, want the one that was released", i)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if release, err := s.Acquire(ctx, 1); err == nil {
				release()
			}
		}()
		go cancel()
		release()
		<-done
	}
	if len(s.keys) > 0 || s.taken > 0 {
		t.Errorf("at the end: got %d keys and %d permits, want none left", len(s.keys), s.taken)
	}
}

func BenchmarkAcquire(b *testing.B) {
	s := New[int](Bounds{Total: 1024, PerKey: 64})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if release, err := s.Acquire(b.Context(), i%100); err == nil {
				release()
			}
		}
	})
}
