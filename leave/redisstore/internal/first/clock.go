package first

import (
	"math"
	"sync"
	"time"

	"matrixrtc-auth/internal/clock"
)

// slack is how much two clocks may differ without a correction. Small differences are
// only apparent, because this process does not know exactly when Redis read its clock.
const slack = time.Second

// concede is how long a replica accepts changes of the correction by other replicas (see
// storeClock). This time begins with the replica's first answer from Redis, and again
// each time that the replica itself changes the correction. The replica accepts the
// changes because it may be wrong. After a pause of its whole machine, it wrongly
// believes that the clock of Redis has jumped. And a new replica does not know what
// happened before its start.
const concede = time.Minute

// storeClock translates between the store's time and our clock, which never jumps. The
// store's time is the clock of Redis plus a correction. If the store's time does not
// fit our clock, somebody has set the clock of Redis, or another server has taken over.
// In both cases, our clock is right.
type storeClock struct {
	ours *clock.Clock

	mu         sync.Mutex
	last       moment
	difference time.Duration // the store's time minus our clock
	corrected  time.Time     // when this process last changed the correction; before its first change, when it first heard from Redis
	replaced   int64         // the correction before the last change by this process
}

// moment is one moment in the store's time and in our clock's time.
type moment struct {
	store      int64         // the store's time, in milliseconds since 1970
	ours       time.Time     // when the answer of Redis came, by our clock
	took       time.Duration // how long the answer took; Redis may have read its clock that much earlier
	correction int64         // the milliseconds that are added to the clock of Redis
}

// verdict is what an answer of Redis shows about the clocks.
type verdict struct {
	jump       time.Duration // by how much the store's time has jumped; 0 if it has not jumped
	correction int64         // the correction in this answer, in milliseconds; the jump is not part of it
	changed    bool          // whether the difference between the store's time and our clock has changed
	difference time.Duration // the store's time minus our clock, if changed is true
}

// heard records an answer of Redis. The parameters store and correction are the store's
// time and the correction in this answer, in milliseconds. heard returns what the
// answer shows about the clocks. sent is when this process sent the command, by our
// clock.
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
			return verdict{} // this answer is older than the one before
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

// correct records that this process has changed the correction, which is added to the
// clock of Redis. The argument from is the correction before the change.
func (c *storeClock) correct(from int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corrected, c.replaced = c.ours.Now(), from
}

// jump returns by how much the store's time has jumped since the last answer of Redis.
func (c *storeClock) jump(now moment) time.Duration {
	if c.last.ours.IsZero() {
		return 0
	}
	passed := now.ours.Sub(c.last.ours)
	// The store's time in an answer of Redis can be too old, at most by the time that
	// the answer took. Besides, clocks drift.
	tolerance := 2*slack + now.took + c.last.took + passed/1000
	jump := time.Duration(now.store-c.last.store)*time.Millisecond - passed
	if jump.Abs() > tolerance {
		return jump
	}
	return 0
}

// compare checks whether the recorded difference between the clocks fits an answer of
// Redis. The argument now has the times of both clocks at that answer, and sent is when
// the script was sent. If the recorded difference is wrong, compare replaces it.
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

// now returns the store's time in milliseconds. If the exact time is not known, it
// returns the earliest possible time.
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
