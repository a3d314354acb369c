package guard

import (
	"sync"
	"time"

	"matrixrtc-auth/internal/metrics"
)

// Status is the state of a guard.
type Status struct {
	// Persons, Foreign and Unsealed are counts of the last sweep of this
	// process. Persons counts the enforced persons, whom the guard may remove.
	// Foreign and Unsealed count sessions that the guard leaves alone. Foreign
	// sessions belong to another service, or to people who were not known to be
	// joined when they got their token. Unsealed sessions have no valid ticket.
	Persons, Foreign, Unsealed int
	// Unseen is how many of Persons are in rooms that the service's own account is not
	// in. In such a room, the service cannot ask who is joined, so the guard removes
	// nobody from it.
	Unseen int
	// SweepBegan and SweepTook are the start and the duration of the last sweep
	// that has ended. They are zero if no sweep of this process has ended.
	SweepBegan time.Time
	SweepTook  time.Duration
	// Late is by how much the next sweep is overdue: the time since the last
	// sweep ended, less the interval. Before the first sweep, the time counts
	// from the start of the guard. Late is 0 while sweeps are on time, or switched off.
	Late time.Duration
	// Elsewhere says that another replica sweeps now. The fields about sweeps
	// are then outdated.
	Elsewhere bool
	// Interval is the current time between two sweeps; 0 means no sweeps. It is
	// longer than the configured interval while the homeserver pushes events
	// and the SFU's reports of joins arrive. It is also longer if the configured
	// interval is too short to ask about all persons.
	Interval time.Duration
	// Braked says that the brake holds, so that the guard removes nobody.
	// BrakedSince is when the brake began to hold.
	Braked      bool
	BrakedSince time.Time
	// The following fields are totals since the start of the guard. Asked is how
	// many questions the guard asked the homeserver, and Unknown is how many of
	// them got no answer. Removed is how many sessions the guard removed from the
	// SFU for each reason. BrakeHeld is how many sessions it did not remove because
	// the brake held. Failed is how many it did not remove because the SFU
	// failed. Overflow is how many reports of the SFU and events of the homeserver
	// were lost because a queue was full.
	Asked, Unknown    uint64
	Removed           map[Reason]uint64
	BrakeHeld, Failed uint64
	Overflow          uint64
}

// census holds the number of sessions for each standing. The standing is the
// index.
type census [enforced + 1]int

// counts records what a guard has done. The zero value is ready.
type counts struct {
	mu       sync.Mutex
	metrics  metrics.Metrics
	started  time.Time     // when the guard started
	begun    time.Time     // when the last sweep began
	expected time.Duration // how long the current sweep will take at least
	now      Status
	told     bool // whether the SFU reports joins to this process, according to the last sweeps
	unsure   bool // whether, since the last complete sweep began, the guard may not have removed somebody whom it should remove
	unsureIn bool // the same as unsure, but since the current sweep began
}

// Status returns the state of the guard.
func (g *Guard) Status() Status {
	interval := g.interval()
	if g.Interval == 0 {
		interval = 0
	}
	g.brake.mu.Lock()
	on, since := g.brake.on && !g.Unbraked, g.brake.since
	g.brake.mu.Unlock()
	c := &g.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.now
	s.Removed = map[Reason]uint64{}
	for _, why := range []Reason{ByJoin, ByPush, BySweep} {
		s.Removed[why] = c.now.Removed[why]
	}
	if interval > 0 {
		s.Interval = max(interval, s.SweepTook, c.expected)
		s.Late = c.late(s.Interval)
	}
	if s.Braked = on; on {
		s.BrakedSince = since
	}
	return s
}

func (c *counts) start(counted metrics.Metrics, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metrics, c.started = counted, now
}

// late returns Status.Late. The caller holds the lock.
func (c *counts) late(interval time.Duration) time.Duration {
	since := c.started
	if !c.now.SweepBegan.IsZero() {
		since = c.now.SweepBegan.Add(c.now.SweepTook)
	}
	if since.IsZero() || c.now.Elsewhere {
		return 0
	}
	return max(0, time.Since(since)-interval)
}

func (c *counts) change(do func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(&c.now)
}

func (c *counts) asked(joined bool, err error) {
	c.change(func(s *Status) {
		s.Asked++
		switch {
		case err != nil:
			s.Unknown++
			c.unsure, c.unsureIn = true, true
			c.metrics.MembershipAsked(metrics.Unknown)
		case joined:
			c.metrics.MembershipAsked(metrics.Joined)
		default:
			c.metrics.MembershipAsked(metrics.NotJoined)
		}
	})
}

func (c *counts) removed(why Reason) {
	c.change(func(s *Status) {
		c.metrics.Removed(string(why))
		if s.Removed == nil {
			s.Removed = map[Reason]uint64{}
		}
		s.Removed[why]++
	})
}

func (c *counts) brakeHeld() {
	c.change(func(s *Status) {
		s.BrakeHeld++
		c.unsure, c.unsureIn = true, true
		c.metrics.NotRemoved(metrics.HeldByBrake)
	})
}

func (c *counts) notRemoved() {
	c.change(func(s *Status) {
		s.Failed++
		c.unsure, c.unsureIn = true, true
		c.metrics.NotRemoved(metrics.SFUFailed)
	})
}

func (c *counts) lost() {
	c.change(func(s *Status) {
		s.Overflow++
		c.unsure, c.unsureIn = true, true
		c.metrics.MembershipLost()
	})
}

func (c *counts) unsettle() { c.change(func(*Status) { c.unsure, c.unsureIn = true, true }) }

func (c *counts) saw(seen census) {
	c.change(func(s *Status) { s.Foreign, s.Unsealed = seen[foreign], seen[unsealed] })
}

// elsewhere records whether another replica sweeps.
func (c *counts) elsewhere(is bool) { c.change(func(s *Status) { s.Elsewhere = is }) }

// expect records how long the current sweep will take at least.
func (c *counts) expect(d time.Duration) { c.change(func(*Status) { c.expected = d }) }

func (c *counts) began(now time.Time) {
	c.change(func(*Status) { c.begun, c.unsureIn = now, false })
}

// ended records the end of a sweep. whole says that the sweep looked into all
// rooms and got all answers. Such a sweep makes up for all reports and events
// that were lost before it began.
func (c *counts) ended(began, now time.Time, h heard, whole bool) {
	c.change(func(s *Status) {
		c.metrics.Swept(now.Sub(began))
		s.Persons, s.Unseen = h.persons+h.unseen, h.unseen
		s.SweepBegan, s.SweepTook = began, now.Sub(began)
		if whole {
			c.unsure = c.unsureIn
		}
	})
}

// reports notes in the status whether the SFU reports joins to this process.
func (c *counts) reports(arrive bool) { c.change(func(*Status) { c.told = arrive }) }

// settled reports whether the guard misses nobody: the SFU's reports arrive,
// and a complete sweep has made up for everything that the guard may have
// missed before.
func (c *counts) settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told && !c.begun.IsZero() && !c.unsure
}
