package ratelimit

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBurstThenRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[string](Limit{PerMinute: 60, Burst: 3})
		for i := range 3 {
			if wait := l.Take("a"); wait != 0 {
				t.Fatalf("event %d of the burst: got a wait of %v, want none", i, wait)
			}
		}
		if wait := l.Take("a"); wait != time.Second {
			t.Errorf("after the burst: wait %v, want 1s", wait)
		}
		if wait := l.Take("b"); wait != 0 {
			t.Errorf("another key: got a wait of %v, want none", wait)
		}
		time.Sleep(999 * time.Millisecond)
		if wait := l.Take("a"); wait != time.Millisecond {
			t.Errorf("just before the next: wait %v, want 1ms", wait)
		}
		time.Sleep(time.Millisecond)
		if wait := l.Take("a"); wait != 0 {
			t.Errorf("after an interval: got a wait of %v, want none", wait)
		}
		time.Sleep(time.Hour)
		for i := range 3 {
			if wait := l.Take("a"); wait != 0 {
				t.Fatalf("event %d after an hour: got a wait of %v, want none", i, wait)
			}
		}
		if l.Take("a") == 0 {
			t.Error("one more than the burst after an idle hour: got no wait, want one")
		}
	})
}

// TestSteadyRate checks that in the long run exactly PerMinute events a minute are
// allowed, however often a key asks.
func TestSteadyRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[int](Limit{PerMinute: 60, Burst: 10})
		passed := 0
		for range 10 * 60 * 10 {
			if l.Take(1) == 0 {
				passed++
			}
			time.Sleep(100 * time.Millisecond)
		}
		if want := 600 + 9; passed != want {
			t.Errorf("%d passed in 10 minutes, want %d", passed, want)
		}
	})
}

func TestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[string](Limit{PerMinute: 60, Burst: 2})
		for i := range 100 {
			if wait := l.Take("a"); wait != 0 {
				t.Fatalf("event %d, when all before were given back: got a wait of %v, want none", i, wait)
			}
			l.Return("a")
		}
		if *l.spent != (table{}) {
			t.Error("a key that has nothing spent: got it remembered, want not")
		}
		l.Return("never seen")
		l.Take("a")
		time.Sleep(time.Hour)
		l.Return("a") // a whole burst is allowed again, so Return changes nothing
		l.Take("a")
		l.Take("a")
		if l.Take("a") == 0 {
			t.Error("one more than the burst after a late Return: got no wait, want one")
		}
	})
}

func TestChargeDoesNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[string](Limit{PerMinute: 60, Burst: 5})
		for range 4 {
			l.Charge("a")
		}
		if wait := l.Wait("a"); wait != 0 {
			t.Errorf("under the limit: got a wait of %v, want none", wait)
		}
		for range 1000 {
			l.Charge("a")
		}
		if wait := l.Wait("a"); wait != time.Second {
			t.Errorf("over the limit: wait %v, want one interval", wait)
		}
		time.Sleep(time.Second)
		if wait := l.Wait("a"); wait != 0 {
			t.Errorf("one interval later: got a wait of %v, want none", wait)
		}
	})
}

// TestInventedKeysPushNobodyOut checks that the Limiter does not forget a key over
// its limit, however many other keys ask.
func TestInventedKeysPushNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[int](Limit{PerMinute: 60, Burst: 30})
		for l.Take(-1) == 0 {
		}
		for i := range 10 * sets * ways {
			l.Take(i)
		}
		if l.Take(-1) == 0 {
			t.Error("who was over the limit: got no wait, want one")
		}
	})
}

func TestManyKeysAreKeptApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[int](Limit{PerMinute: 60, Burst: 2})
		const keys = 10_000
		refused := 0
		for range 3 {
			for i := range keys {
				if l.Take(i) > 0 {
					refused++
				}
			}
		}
		if refused > keys || refused < keys*99/100 {
			t.Errorf("%d refused, want one of each of %d keys", refused, keys)
		}
	})
}

func TestNilAllows(t *testing.T) {
	l := New[string](Limit{})
	l.Charge("a")
	l.Return("a")
	if l.Take("a") != 0 || l.Wait("a") != 0 {
		t.Error("the zero Limit: got a wait, want none")
	}
}

func TestConcurrentTakesShareTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New[string](Limit{PerMinute: 60, Burst: 30})
		var passed atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if l.Take("a") == 0 {
					passed.Add(1)
				}
			})
		}
		wg.Wait()
		if passed.Load() != 30 {
			t.Errorf("%d passed, want 30", passed.Load())
		}
	})
}

func BenchmarkTake(b *testing.B) {
	l := New[int](Limit{PerMinute: 60, Burst: 30})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			l.Take(i % 10_000)
		}
	})
}
