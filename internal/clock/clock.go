// Package clock tells a process the time by a clock that never jumps.
//
// Whoever sets the wall clock moves everything that is due by it: set back by a
// minute, it has each action come a minute late. A [Clock] shows the wall
// clock's time of when it was made, and goes on by the monotonic clock. The
// monotonic clock stands still while the machine sleeps, though the rest of the
// world goes on: a Clock adds that time.
//
// Two processes, or two lives of one, have only the wall clock in common.
// [Clock.Wall] writes a time down for another process, [Clock.Steady] reads what
// another has written.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock is the clock of one process. Its methods may be called at any time by
// any goroutine.
type Clock struct {
	began time.Time     // by the machine's wall clock, and by the monotonic one
	shift time.Duration // from the machine's wall clock then to the source's
	wall  func() time.Time
	slept func() time.Duration // since began
	sleep atomic.Int64         // the most that slept has told
}

// Source is what a [Clock] reads besides Go's monotonic clock.
type Source struct {
	// Wall is the wall clock; nil for the machine's.
	Wall func() time.Time
	// Slept tells for how long, since some instant that stays the same, the
	// monotonic clock has stood still because the machine slept; nil for the
	// machine's word. It may tell too little for a moment, never too much.
	Slept func() time.Duration
}

// New returns a clock that shows the machine's wall clock now.
func New() *Clock { return From(Source{}) }

// From returns a clock that shows s's wall clock now.
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
	// Too little here would be too much ever after.
	before := mostOf(looks, s.Slept)
	c.slept = func() time.Duration { return s.Slept() - before }
	return c
}

// Now returns the time: never an earlier one than before. It has a monotonic
// reading, by which it compares with other times of this clock.
func (c *Clock) Now() time.Time {
	return c.began.Add(time.Since(c.began) + c.asleep() + c.shift)
}

// Since returns how much time has passed since t, a time of this clock.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// asleep is how long the machine has slept since the clock was made.
func (c *Clock) asleep() time.Duration {
	told := int64(c.slept())
	for {
		known := c.sleep.Load()
		if told <= known || c.sleep.CompareAndSwap(known, told) {
			return time.Duration(max(told, known))
		}
	}
}

// Ahead returns how far the wall clock is ahead of this clock, to the
// millisecond: by how much it has been set since this clock was made.
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

// compare returns how far the wall clock was ahead, and this clock's time right
// after that.
func (c *Clock) compare() (ahead time.Duration, after time.Time) {
	wall := c.wall()
	after = c.Now()
	return wall.Round(0).Sub(after.Round(0)), after
}

const (
	// looks is how often two clocks are compared at most. A process that is held
	// up between the two readings compares wrongly, and always in the same
	// direction; that this happens each time is unlikely.
	looks = 4
	// atOnce is how long a comparison may take that is right by itself.
	atOnce = 100 * time.Microsecond
)

// mostOf returns the most that n readings told.
func mostOf(n int, read func() time.Duration) time.Duration {
	most := read()
	for range n - 1 {
		most = max(most, read())
	}
	return most
}

// Wall returns what the wall clock shows at t, a time of this clock, unless it
// is set again. The zero time stays zero.
func (c *Clock) Wall(t time.Time) time.Time { return moved(t, c.Ahead()) }

// Steady returns when by this clock the wall clock shows t. The zero time stays
// zero.
func (c *Clock) Steady(t time.Time) time.Time { return moved(t, -c.Ahead()) }

func moved(t time.Time, d time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(d)
}
