// Package clock provides a clock that never jumps.
//
// If somebody sets the wall clock back by a minute, every action that was planned by
// the wall clock comes a minute late. So a [Clock] starts with the wall clock's time
// and then follows the monotonic clock. The monotonic clock stands still while the
// machine sleeps; a Clock adds that time.
//
// Two processes have only the wall clock in common, even if one is the successor of
// the other. [Clock.Wall] converts a time for another process. [Clock.Steady]
// converts a time from another process.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock is the clock of one process. Several goroutines may use it at once.
type Clock struct {
	began time.Time     // when this clock was made, with a reading of the wall clock and of the monotonic clock
	shift time.Duration // how far the wall clock of the Source was ahead of the machine's wall clock at began
	wall  func() time.Time
	slept func() time.Duration // returns how long the machine has slept since began
	sleep atomic.Int64         // the longest time that slept has returned, in nanoseconds
	asked atomic.Int64         // when Now last called slept, in nanoseconds since began
}

// Source is what a [Clock] reads besides Go's monotonic clock.
type Source struct {
	// Wall is the wall clock. Nil means the wall clock of the machine.
	Wall func() time.Time
	// Slept returns how long the machine has slept since some fixed instant. Nil
	// means that the operating system is asked. For a moment Slept may return too
	// little, but never too much.
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
	// Slept can return too little. A too small value of before would make c.slept
	// return too much for ever, so before is the largest of several readings.
	before := mostOf(looks, s.Slept)
	c.slept = func() time.Duration { return s.Slept() - before }
	return c
}

// askAgain is the shortest time between two calls of slept by Now, because each
// call takes two system calls. Right after a sleep of the machine, Now can lack the
// time of the sleep, but for no longer than askAgain.
const askAgain = time.Millisecond

// Now returns the time by this clock. The time is never earlier than one that Now
// returned before. It has a monotonic reading, and Go compares two such times by
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

// noteSleep calls slept, and stores its result in sleep if it is larger than the
// stored one.
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
// was ahead, and the time by this clock.
func (c *Clock) compare() (ahead time.Duration, after time.Time) {
	wall := c.wall()
	c.noteSleep() // otherwise a sleep that Now does not know yet would seem to be a change of the wall clock
	after = c.Now()
	return wall.Round(0).Sub(after.Round(0)), after
}

const (
	// looks is how often two clocks are compared at most. If the process is delayed
	// between the two readings, the difference is too small, never too large. A delay
	// in every comparison is unlikely.
	looks = 4
	// atOnce is the longest time of a comparison that needs no repetition.
	atOnce = 100 * time.Microsecond
)

// mostOf returns the largest of n readings.
func mostOf(n int, read func() time.Duration) time.Duration {
	most := read()
	for range n - 1 {
		most = max(most, read())
	}
	return most
}

// Wall returns the time that the wall clock shows when this clock shows t, unless
// the wall clock is set again. The zero time stays zero.
func (c *Clock) Wall(t time.Time) time.Time { return moved(t, c.Ahead()) }

// Steady returns the time that this clock shows when the wall clock shows t. The
// zero time stays zero.
func (c *Clock) Steady(t time.Time) time.Time { return moved(t, -c.Ahead()) }

func moved(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}
