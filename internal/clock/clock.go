// Package clock provides a clock that never jumps.
//
// If somebody sets the wall clock back by a minute, every action that was planned
// by the wall clock comes a minute late. So a [Clock] starts with the wall clock's
// time and then follows the monotonic clock. The monotonic clock stands still while
// the machine sleeps; a Clock adds that time.
//
// Each process has its own Clock, and only the wall clock is the same for all
// processes. [Clock.Wall] converts a Clock's time to the wall clock's time, to pass
// it to another process. [Clock.Steady] converts a wall clock's time from another
// process to the Clock's time.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock is the clock of one process. Several goroutines may use it at the same
// time.
type Clock struct {
	began time.Time     // when this clock was made; it has a wall clock reading and a monotonic reading
	shift time.Duration // how far Source.Wall was ahead of the machine's wall clock when this clock was made
	wall  func() time.Time
	slept func() time.Duration // returns how long the machine has slept since this clock was made
	sleep atomic.Int64         // the longest time that slept has returned, in nanoseconds
	asked atomic.Int64         // when Now last called slept, in nanoseconds since this clock was made
}

// Source is what a [Clock] reads besides Go's monotonic clock.
type Source struct {
	// Wall is the wall clock. Nil means the wall clock of the machine.
	Wall func() time.Time
	// Slept returns how long the machine has slept since some fixed instant. If Slept
	// is nil, the Clock asks the operating system. A call of Slept may return too
	// short a time, but never too long a time.
	Slept func() time.Duration
}

// New returns a clock that shows the machine's wall clock now.
func New() *Clock { return From(Source{}) }

// From returns a clock that now shows the same time as the wall clock of s.
func From(s Source) *Clock {
	c := &Clock{began: time.Now(), wall: s.Wall}
	if c.wall == nil {
		c.wall = time.Now
	} else {
		c.shift = mostOf(looks, func() time.Duration { return c.wall().Round(0).Sub(time.Now().Round(0)) })
	}
	if s.Slept == nil {
		s.Slept = machineSlept
	}
	// This is how long the machine had slept before the clock was made. Slept can
	// return too short a time. With too short a time here, c.slept would always
	// return too much. So the code takes the largest of several readings.
	before := mostOf(looks, s.Slept)
	c.slept = func() time.Duration { return s.Slept() - before }
	return c
}

// askAgain is the shortest time between two calls of slept that Now makes, because
// each call of slept takes two system calls. After a sleep of the machine, the
// result of Now can lack the time of that sleep, but for no longer than askAgain.
const askAgain = time.Millisecond

// Now returns the time by this clock. It is never earlier than a time that Now
// returned before. It has a monotonic reading, so Go compares two results of Now by
// their monotonic readings.
func (c *Clock) Now() time.Time {
	passed, asked := time.Since(c.began), c.asked.Load()
	if int64(passed) >= asked+int64(askAgain) && c.asked.CompareAndSwap(asked, int64(passed)) {
		c.noteSleep()
	}
	return c.began.Add(passed + time.Duration(c.sleep.Load()) + c.shift)
}

// Since returns how much time has passed since t, a time of this clock.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// noteSleep asks c.slept how long the machine has slept. If that is longer than the
// time in c.sleep, noteSleep stores it there.
func (c *Clock) noteSleep() {
	slept := int64(c.slept())
	for {
		known := c.sleep.Load()
		if slept <= known || c.sleep.CompareAndSwap(known, slept) {
			return
		}
	}
}

// Ahead returns how far the wall clock is ahead of this clock, rounded to
// milliseconds. That is the sum of all changes of the wall clock since this clock
// was made.
func (c *Clock) Ahead() time.Duration {
	before := c.Now()
	most, after := c.compare()
	for n := 1; n < looks && after.Sub(before) >= atOnce; n++ {
		before = after
		var ahead time.Duration
		ahead, after = c.compare()
		most = max(most, ahead)
	}
	return most.Round(time.Millisecond)
}

// compare reads the wall clock and then this clock. It returns how far the wall clock
// was ahead of this clock, and the time by this clock.
func (c *Clock) compare() (ahead time.Duration, after time.Time) {
	wall := c.wall()
	c.noteSleep() // without this call, a sleep that Now has not noticed yet would look like a change of the wall clock
	after = c.Now()
	return wall.Round(0).Sub(after.Round(0)), after
}

const (
	// looks is how many times two clocks are compared at most. If the process is delayed
	// after it has read the first clock and before it reads the second one, the first
	// clock seems to be less far ahead than it is, never farther. So the largest result
	// is the best one. A delay in every comparison is unlikely.
	looks = 4
	// atOnce bounds the time of a comparison. If a comparison takes longer, Ahead
	// compares the clocks again.
	atOnce = 100 * time.Microsecond
)

// mostOf calls read n times and returns the largest result.
func mostOf(n int, read func() time.Duration) time.Duration {
	most := read()
	for range n - 1 {
		most = max(most, read())
	}
	return most
}

// Wall converts t, a time of this clock, to the wall clock's time at the same
// instant. If somebody sets the wall clock later, the result is no longer right.
// The zero time stays zero.
func (c *Clock) Wall(t time.Time) time.Time { return moved(t, c.Ahead()) }

// Steady converts t, a time of the wall clock, to this clock's time at the same
// instant. The zero time stays zero.
func (c *Clock) Steady(t time.Time) time.Time { return moved(t, -c.Ahead()) }

func moved(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}
