package redisstore

import (
	"math"
	"sync"
	"time"

	"matrixrtc-auth/internal/clock"
)

// slack is a difference between two clocks that is small enough to be ignored. It
// is uncertain when exactly Redis read its clock.
const slack = time.Second

// concede is how long a replica accepts that another replica has corrected Redis'
// clock. The time begins with the replica's own last correction, or with its first
// contact with Redis. Both kinds of replicas may be wrong: a machine that was
// paused as a whole wrongly believes that Redis' clock has jumped, and a new
// replica does not know the time before.
const concede = time.Minute

// storeClock translates between the store's time and our clock, which never
// jumps. The store's time is Redis' clock plus a correction. If it disagrees
// with our clock, Redis' clock was set or another server took over; then our
// clock decides.
type storeClock struct {
	ours *clock.Clock

	mu         sync.Mutex
	last       moment
	difference time.Duration // the store's time minus our clock
	corrected  time.Time     // when we last changed the correction; before the first change, the time of the first contact
	replaced   int64         // the correction before our last change
}

// moment is one instant, by the store's time and by our clock.
type moment struct {
	store      int64         // the store's time, in milliseconds since 1970
	ours       time.Time     // the time of the answer by our clock
	took       time.Duration // how long the answer took; Redis may have read its clock that much earlier
	correction int64         // what is added to Redis' clock, in milliseconds
}

// verdict is what an answer of Redis shows about the clocks.
type verdict struct {
	jump       time.Duration // by how much the store's time has jumped; 0 if it has not
	correction int64         // the correction before the jump
	changed    bool          // whether difference has changed
	difference time.Duration // the store's time minus our clock
}

// heard records the store's time and the correction, which come from one answer of
// Redis. It returns what they show about the clocks. sent is when the command was
// sent, by our clock.
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
			return verdict{} // the answer is older than the last one
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

// correct records that this process has just changed the correction. from is the
// former correction.
func (c *storeClock) correct(from int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corrected, c.replaced = c.ours.Now(), from
}

// jump returns by how much the store's time has jumped since the last answer.
func (c *storeClock) jump(now moment) time.Duration {
	if c.last.ours.IsZero() {
		return 0
	}
	passed := now.ours.Sub(c.last.ours)
	// Redis may have read its clock up to took before each of the two answers came.
	// Clocks also drift.
	tolerance := 2*slack + now.took + c.last.took + passed/1000
	jump := time.Duration(now.store-c.last.store)*time.Millisecond - passed
	if jump.Abs() > tolerance {
		return jump
	}
	return 0
}

// compare replaces the recorded difference between the clocks if the moment now
// shows that it is wrong.
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

// now returns the store's time in milliseconds. If the exact time is uncertain, now
// returns an earlier time rather than a later one.
func (c *storeClock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.store + c.ours.Since(c.last.ours).Milliseconds()
}

// ahead returns the store's time minus our clock.
func (c *storeClock) ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.difference
}
