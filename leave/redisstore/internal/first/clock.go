package first

import (
	"math"
	"sync"
	"time"

	"matrixrtc-auth/internal/clock"
)

// slack is the difference between two clocks that is let be: the time that an
// answer takes makes it uncertain.
const slack = time.Second

// concede is how long after a correction of ours, or the first contact, one that
// others make is believed: a machine that was paused as a whole takes Redis'
// clock for the one that jumped, and one that has just come knows least.
const concede = time.Minute

// storeClock knows the store's time, which is Redis' with a correction, by our
// clock, which never jumps. When the two disagree it is Redis' that was set, or
// another server has taken over; what all times in the store are by is what our
// clock says.
type storeClock struct {
	ours *clock.Clock

	mu         sync.Mutex
	last       moment
	difference time.Duration // the store's time less ours
	corrected  time.Time     // when we last changed the correction, or began …
	replaced   int64         // … and from what
}

// moment is one instant by both clocks.
type moment struct {
	store      int64 // milliseconds
	ours       time.Time
	took       time.Duration // of that before ours the store's time may be
	correction int64         // what is added to Redis' clock, milliseconds
}

// verdict is what an answer said about the clocks.
type verdict struct {
	jump       time.Duration // of the store's time, if it did
	correction int64         // in force when it did
	changed    bool          // the difference to ours has
	difference time.Duration
}

// heard takes the time in an answer to what was sent when our clock showed sent.
func (c *storeClock) heard(store, correction int64, sent time.Time) verdict {
	now := moment{store: store, ours: c.ours.Now(), correction: correction}
	now.took = now.ours.Sub(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	if jump := c.jump(now); jump != 0 {
		recently := now.ours.Sub(c.corrected) < concede
		switch byOthers := correction != c.last.correction; {
		case recently && byOthers:
		case recently && correction == c.replaced:
			return verdict{} // an answer from before
		default:
			return verdict{jump: jump, correction: correction}
		}
	}
	if c.last.ours.IsZero() {
		c.corrected, c.replaced = now.ours, math.MinInt64
	}
	c.last = now
	before := c.difference
	c.compare(now, sent)
	return verdict{changed: c.difference != before, difference: c.difference}
}

// correct is told that the correction from has been replaced.
func (c *storeClock) correct(from int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corrected, c.replaced = c.ours.Now(), from
}

// jump returns by how much the store's time has jumped.
func (c *storeClock) jump(now moment) time.Duration {
	if c.last.ours.IsZero() {
		return 0
	}
	passed := now.ours.Sub(c.last.ours)
	// An answer takes its time, as the last one did, and clocks drift.
	tolerance := 2*slack + now.took + c.last.took + passed/1000
	jump := time.Duration(now.store-c.last.store)*time.Millisecond - passed
	if jump.Abs() > tolerance {
		return jump
	}
	return 0
}

// compare sets the difference if the one there is cannot be right.
func (c *storeClock) compare(now moment, sent time.Time) {
	least := time.UnixMilli(now.store).Sub(now.ours) - slack
	most := time.UnixMilli(now.store).Sub(sent) + slack
	switch {
	case least <= 0 && 0 <= most:
		c.difference = 0
	case least <= c.difference && c.difference <= most:
	default:
		c.difference = ((least + most) / 2).Truncate(time.Millisecond)
	}
}

// now returns the store's time in milliseconds, rather early than late.
func (c *storeClock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.store + c.ours.Since(c.last.ours).Milliseconds()
}

func (c *storeClock) ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.difference
}
