package redisstore

import (
	"math"
	"sync"
	"time"
)

// slack is the difference between two clocks that is let be: the time that an
// answer takes makes it uncertain.
const slack = time.Second

// concede is how long after a correction of ours, or the first contact, a jump
// is taken to be our own: a machine that was paused as a whole finds all others
// ahead, and one that has just come knows least; the others know better.
const concede = time.Minute

// clock knows the store's time, which is Redis' with a correction: by the wall
// clock, to translate the times of jobs, and by the monotonic one, which does
// not jump, to limit commands. Of the three clocks the one that jumps is the
// one that the other two disagree with.
type clock struct {
	wall func() time.Time

	mu         sync.Mutex
	last       moment
	difference time.Duration // the store's time less our wall clock's
	corrected  time.Time     // when we last changed the correction, or began …
	replaced   int64         // … and from what
}

// moment is one instant by every clock.
type moment struct {
	store      int64 // milliseconds
	wall       time.Time
	monotonic  time.Time
	correction int64 // what is added to Redis' clock, milliseconds
}

// verdict is what an answer said about the clocks.
type verdict struct {
	jump       time.Duration // of Redis' clock, if it did
	correction int64         // in force when it did
	changed    bool          // the difference to ours has
	difference time.Duration
}

// heard takes the time in an answer to what was sent when our wall clock showed
// sent.
func (c *clock) heard(store, correction int64, sent time.Time) verdict {
	now := moment{store, c.wall(), time.Now(), correction}
	c.mu.Lock()
	defer c.mu.Unlock()
	if jump := c.jump(now, sent); jump != 0 {
		switch recently := now.monotonic.Sub(c.corrected) < concede; {
		case !recently:
			return verdict{jump: jump, correction: correction}
		case correction == c.replaced:
			return verdict{} // an answer from before
		}
	}
	if c.last.monotonic.IsZero() {
		c.corrected, c.replaced = now.monotonic, math.MinInt64
	}
	c.last = now
	before := c.difference
	c.compare(now, sent)
	return verdict{changed: c.difference != before, difference: c.difference}
}

// correct is told that the correction from has been replaced.
func (c *clock) correct(from int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corrected, c.replaced = time.Now(), from
}

// jump returns by how much Redis' clock, and no other, has jumped.
func (c *clock) jump(now moment, sent time.Time) time.Duration {
	if c.last.monotonic.IsZero() {
		return 0
	}
	passed := now.monotonic.Sub(c.last.monotonic)
	// An answer takes its time, as the last one did, and clocks drift.
	tolerance := 2*slack + max(0, now.wall.Sub(sent)) + passed/1000
	ours := now.wall.Sub(c.last.wall) - passed
	theirs := time.Duration(now.store-c.last.store)*time.Millisecond - passed
	if theirs.Abs() > tolerance && ours.Abs() <= tolerance {
		return theirs
	}
	return 0
}

// compare sets the difference if the one there is cannot be right.
func (c *clock) compare(now moment, sent time.Time) {
	least := time.UnixMilli(now.store).Sub(now.wall) - slack
	most := time.UnixMilli(now.store).Sub(sent) + slack
	switch {
	case most < least: // our clock was set back in between
	case least <= 0 && 0 <= most:
		c.difference = 0
	case least <= c.difference && c.difference <= most:
	default:
		c.difference = ((least + most) / 2).Truncate(time.Millisecond)
	}
}

// in returns the store's time after wait, rather early than late.
func (c *clock) in(wait time.Duration) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.store + (time.Since(c.last.monotonic) + wait).Milliseconds()
}

func (c *clock) ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.difference
}
