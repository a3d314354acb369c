package guard

import (
	"sync"
	"time"

	"matrixrtc-auth/internal/metrics"
)

// Status says what a guard does.
type Status struct {
	// Persons, Foreign and Unsealed are what the last sweep of this process saw:
	// persons under enforcement, and sessions that are let be.
	Persons, Foreign, Unsealed int
	// Unseen are those of Persons who were in rooms that the account which asks is
	// not in: nobody is removed from them.
	Unseen int
	// SweepBegan and SweepTook are of the last one that has ended; zero for none
	// in this process.
	SweepBegan time.Time
	SweepTook  time.Duration
	// Late is how much longer ago than the interval the last sweep ended, or the
	// guard began if there was none; 0 while sweeps are on time, or off.
	Late time.Duration
	// Elsewhere says that another replica sweeps now: what is said of sweeps here
	// is old then.
	Elsewhere bool
	// Interval is the time between two sweeps now, 0 for none. It is longer than
	// configured while events are pushed and reports arrive, or while there are more persons than
	// can be asked about in that time.
	Interval time.Duration
	// Braked says that the brake holds, since BrakedSince.
	Braked      bool
	BrakedSince time.Time
	// The totals since the start: questions, those without an answer, removals,
	// sessions that were not removed because the brake held or the SFU failed,
	// and reports and events that there was no room for.
	Asked, Unknown    uint64
	Removed           map[Reason]uint64
	BrakeHeld, Failed uint64
	Overflow          uint64
}

// census counts sessions by standing.
type census [enforced + 1]int

// counts is what a guard has done. The zero value is ready.
type counts struct {
	mu       sync.Mutex
	metrics  metrics.Metrics
	started  time.Time     // the guard
	begun    time.Time     // the last sweep
	expected time.Duration // how long it takes at least
	now      Status
	told     bool // of joins by the SFU, as far as sweeps see
	unsure   bool // something was lost or unknown since the last whole sweep began
	unsureIn bool // … since the sweep under way began
}

// Status returns what the guard does.
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

// late is for Status, under the lock.
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

// elsewhere notes whether another replica sweeps.
func (c *counts) elsewhere(is bool) { c.change(func(s *Status) { s.Elsewhere = is }) }

// expect notes how long the sweep under way takes at least.
func (c *counts) expect(d time.Duration) { c.change(func(*Status) { c.expected = d }) }

func (c *counts) began(now time.Time) {
	c.change(func(*Status) { c.begun, c.unsureIn = now, false })
}

// ended notes the end of a sweep. A whole one that was told everything finds
// whatever was lost before it began.
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

// reports notes whether the SFU's reports arrive here.
func (c *counts) reports(arrive bool) { c.change(func(*Status) { c.told = arrive }) }

// settled reports whether the SFU's reports arrive, and nothing was lost or
// unknown that no sweep has made up for.
func (c *counts) settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told && !c.begun.IsZero() && !c.unsure
}
