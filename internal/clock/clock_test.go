package clock_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/clock"
	"matrixrtc-auth/internal/clock/clocktest"
)

func wantTime(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestWallClockIsSet checks that the clock goes on steadily if somebody sets the
// wall clock.
func TestWallClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{-time.Minute, time.Minute, -24 * time.Hour, 56 * 365 * 24 * time.Hour, time.Millisecond} {
		t.Run(jump.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m clocktest.Machine
				c := m.Clock()
				began := m.Wall()
				wantTime(t, "at first Now", c.Now(), began)
				time.Sleep(10 * time.Second)
				m.Set(jump)
				time.Sleep(10 * time.Second)
				wantTime(t, "Now", c.Now(), began.Add(20*time.Second))
				if got := c.Since(began); got != 20*time.Second {
					t.Errorf("Since(the beginning): got %v, want 20s", got)
				}
				if got := c.Ahead(); got != jump {
					t.Errorf("Ahead: got %v, want %v", got, jump)
				}
				wantTime(t, "Wall(Now)", c.Wall(c.Now()), m.Wall())
				wantTime(t, "Steady(the wall clock)", c.Steady(m.Wall()), c.Now())
				wantTime(t, "the next process' Now", m.Clock().Now(), m.Wall())
			})
		})
	}
}

// TestMachineSleeps checks that the clock also counts the time in which the machine
// sleeps.
func TestMachineSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m clocktest.Machine
		m.Sleep(time.Hour) // a sleep before the clock is made, which must not count
		c := m.Clock()
		began := c.Now()
		time.Sleep(time.Second)
		c.Now()
		m.Sleep(10 * time.Minute)
		if got := c.Ahead(); got != 0 {
			t.Errorf("right after the machine slept, the wall clock is ahead by %v, want 0", got)
		}
		time.Sleep(time.Second)
		if got, want := c.Since(began), 10*time.Minute+2*time.Second; got != want {
			t.Errorf("Since(the beginning), with ten minutes of sleep: got %v, want %v", got, want)
		}
	})
}

// TestMachineWakes checks that Now includes the time of a sleep at most a
// millisecond after the machine has woken.
func TestMachineWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m clocktest.Machine
		c := m.Clock()
		for range 3 {
			c.Now()
			m.Sleep(10 * time.Minute)
			time.Sleep(time.Millisecond)
			wantTime(t, "Now a millisecond after the machine woke", c.Now(), m.Wall())
		}
	})
}

// TestNeverBack checks that the clock does not go back while Slept returns too
// short a time.
func TestNeverBack(t *testing.T) {
	var mu sync.Mutex
	slept := time.Hour
	c := clock.From(clock.Source{Slept: func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		slept += time.Duration(rand.IntN(100)) * time.Millisecond
		return slept - time.Duration(rand.IntN(500))*time.Millisecond
	}})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			last := c.Now()
			for range 2000 {
				now := c.Now()
				if now.Before(last) || c.Since(last) < 0 {
					t.Errorf("Now after %v: got %v, want no earlier time", last, now)
				}
				last = now
			}
		})
	}
	callers.Wait()
}

func TestZeroStaysZero(t *testing.T) {
	var m clocktest.Machine
	c := m.Clock()
	m.Set(time.Hour)
	if got := c.Wall(time.Time{}); !got.IsZero() {
		t.Errorf("Wall(zero) = %v, want zero", got)
	}
	if got := c.Steady(time.Time{}); !got.IsZero() {
		t.Errorf("Steady(zero) = %v, want zero", got)
	}
}

// TestMachine checks that a clock made by New stays close to the machine's wall
// clock.
func TestMachine(t *testing.T) {
	c := clock.New()
	for range 1000 {
		if got := time.Until(c.Now()).Abs(); got > time.Second {
			t.Fatalf("Now is %v from the machine's clock, want at most 1 s", got)
		}
	}
	if got := c.Ahead().Abs(); got > time.Second {
		t.Errorf("Ahead = %v, want at most 1 s", got)
	}
}

func BenchmarkNow(b *testing.B) {
	c := clock.New()
	for b.Loop() {
		c.Now()
	}
}

// TestHeldUp checks a process that is delayed while it reads the wall clock. The
// delay must not count as a change of the wall clock.
func TestHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const held = 70 * time.Millisecond
		var calls int
		wall := func() time.Time {
			if calls++; calls == 1 {
				time.Sleep(held)
			}
			now := time.Now().Round(0).Add(time.Hour)
			if calls%2 == 0 {
				time.Sleep(held)
			}
			return now
		}
		c := clock.From(clock.Source{Wall: wall, Slept: func() time.Duration { return 0 }})
		for range 3 {
			if got := c.Ahead(); got != 0 {
				t.Errorf("the wall clock is ahead by %v, want 0", got)
			}
			wantTime(t, "Now", c.Now(), time.Now().Add(time.Hour))
		}
	})
}
