package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Check examines one part of the deployment.
type Check struct {
	// ID is the check's name, which is the same in all versions. Its part
	// before the dot is the group. If several homeservers are checked, each has
	// a check with this ID, and Server says which homeserver this one is about.
	ID     string
	Server string
	// Needs are the checks that must end without a fault before this one can
	// start.
	Needs []*Check
	// Any lists other checks. This check starts only if at least one of them has
	// ended without a fault. An empty Any has no effect.
	Any []*Check
	// After are checks that must end before this one starts, whatever their
	// result is.
	After []*Check
	// Excuses say which findings of other checks explain findings of this check.
	// If there is such a finding, only the other check reports the fault. Twins
	// are other checks that may examine the same place and find the same fault.
	Excuses []Excuse
	Twins   []*Check
	// Limit bounds the time of the check. Zero means 8 s.
	Limit time.Duration
	// Grace is how long the check may go on after its context has ended, to remove
	// what it created. Zero means 500 ms (lastWord).
	Grace time.Duration
	// Run makes the check. It may write values for the checks that need this one,
	// because they start only after this check has ended.
	Run func(ctx context.Context) Finding

	done  chan struct{}
	ended ended
}

// Excuse says which findings of the check By explain findings of the check
// that has the Excuse.
type Excuse struct {
	By *Check
	// Causes and Shows are ids of causes. If By finds one of the causes in Causes,
	// that finding explains each finding of the check with the Excuse whose cause is in
	// Shows.
	// If both lists are empty, a finding of By explains only a finding with the same
	// cause.
	Causes, Shows []string
	// Here says that the excuse counts only if both findings are about the same
	// place.
	Here bool
}

const (
	defaultLimit = 8 * time.Second
	// runLimit bounds the time of all checks together. After that time, a check
	// that still runs has the time lastWord to return its finding. With the
	// deletion of the probe room at the end, a run takes less than 30 s.
	runLimit = 26 * time.Second
	lastWord = 500 * time.Millisecond
)

// ended is the result of a check.
type ended struct {
	Finding
	took time.Duration
	root *Check  // the check that keeps this one from running, or that reports this one's finding; nil if there is none
	own  Finding // what this check found, even if another check reports it
}

// Progress is called each time a check has ended. Its last argument is the
// number of checks that have not ended.
type Progress func(id string, status Status, left int)

// Run runs checks. Each one starts when the checks that it needs have ended.
// Run returns when all have ended, or soon after runLimit. It calls progress
// each time a check has ended. limit turns the time limit for a usual machine
// into the limit for this machine.
func Run(ctx context.Context, limit func(time.Duration) time.Duration, checks []*Check, progress Progress) {
	for _, c := range checks {
		c.Limit = limit(cmp.Or(c.Limit, defaultLimit))
	}
	ctx, cancel := context.WithTimeout(ctx, limit(runLimit))
	defer cancel()
	for _, c := range checks {
		c.done = make(chan struct{})
	}
	var (
		mu   sync.Mutex
		left = len(checks)
		all  sync.WaitGroup
	)
	for _, c := range checks {
		all.Go(func() {
			c.run(ctx)
			close(c.done)
			mu.Lock()
			defer mu.Unlock()
			left--
			progress(c.ID, c.ended.Status, left)
		})
	}
	all.Wait()
}

// run waits for the checks that c needs, and then makes the check.
func (c *Check) run(ctx context.Context) {
	for _, other := range c.After {
		<-other.done
	}
	for _, need := range c.Needs {
		<-need.done // each check has a time limit of its own, so this wait ends
		if root := need.blocker(); root != nil && c.ended.root == nil {
			c.ended.root = root
		}
	}
	if root := blockerOfAll(c.Any); root != nil && c.ended.root == nil {
		c.ended.root = root
	}
	if root := c.ended.root; root != nil {
		c.ended.Finding = NotLooked("not looked at: %s", root.whyNot())
		return
	}
	if ctx.Err() != nil {
		c.ended.Finding = c.cut(ctx)
		return
	}
	start := time.Now()
	c.ended.Finding = c.look(ctx)
	c.ended.took = time.Since(start)
	if ctx.Err() != nil && c.ended.Status != OK && c.Grace == 0 {
		c.ended.Finding = c.cut(ctx) // the check may have found this only because the run ended
		return
	}
	c.excuse()
}

// cut returns the finding of a check that was not complete when the run ended.
func (c *Check) cut(ctx context.Context) Finding {
	if interrupted(ctx) {
		return NotLooked("interrupted")
	}
	return unfinished(c.ID, "the %s of the whole run were over", runLimit)
}

// interrupted reports whether somebody interrupted the run. It is false if the
// time limit has ended the run.
func interrupted(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// excuse waits for the checks that may have found the cause of c's finding. If
// one of them has found it, only that check reports the cause.
func (c *Check) excuse() {
	c.ended.own = c.ended.Finding
	if c.ended.Cause == nil {
		return
	}
	for _, excuse := range c.Excuses {
		<-excuse.By.done
		if c.ended.root == nil && excuse.explains(c.ended.own) {
			c.ended.root = excuse.By.teller()
		}
	}
	for _, other := range c.Twins {
		<-other.done
		if theirs := other.ended.own; c.ended.root == nil && theirs.sameKind(c.ended.own) && theirs.meets(c.ended.own) {
			c.ended.root = other.teller()
		}
	}
	if root := c.ended.root; root != nil {
		c.ended.Finding = NotLooked("%s, as %s says", c.ended.Seen, root.ID)
	}
}

// explains reports whether the finding of the check x.By explains f. The finding f
// is that of the check that has the Excuse x. A warning does not explain a fault.
func (x Excuse) explains(f Finding) bool {
	theirs := x.By.ended.own
	switch {
	case f.Cause == nil || theirs.Cause == nil || theirs.severity() < f.severity():
		return false
	case x.Here && !theirs.meets(f):
		return false
	case len(x.Causes) == 0:
		return f.sameCause(theirs)
	}
	return slices.Contains(x.Causes, theirs.Cause.ID) && slices.Contains(x.Shows, f.Cause.ID)
}

// teller returns the check that reports c's finding: the check whose finding
// explains it, or else c.
func (c *Check) teller() *Check { return cmp.Or(c.ended.root, c) }

// look makes the check within its time limit. A check that ignores the end of
// its context goes on in the background.
func (c *Check) look(ctx context.Context) Finding {
	limit := c.Limit
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result := make(chan Finding, 1)
	go func() { result <- c.Run(ctx) }()
	select {
	case f := <-result:
		return f
	case <-ctx.Done():
	}
	select {
	case f := <-result:
		return f
	case <-time.After(max(c.Grace, lastWord)):
		return unfinished(c.ID, "no result within %s", limit)
	}
}

// blocker returns nil if the checks that need c can run. Otherwise it returns
// the check that keeps them from running: c itself, the check that explains c's
// finding, or the check that kept c from running.
func (c *Check) blocker() *Check {
	switch {
	case c.ended.own.Status == Warn && !c.ended.own.Blocks, c.ended.own.Cause != nil && c.ended.own.Cause.Spares:
		return nil // the check's own finding counts here, even if another check reports it
	case c.ended.root != nil:
		return c.ended.root
	case c.ended.Status == Fail, c.ended.Status == NA, c.ended.Blocks:
		return c
	}
	return nil
}

// blockerOfAll waits until all the given checks have ended. It is for a check that
// needs only one of the given checks. blockerOfAll returns nil if [Check.blocker]
// returns nil for at least one of the given checks. Otherwise it returns the blocker
// of the first one.
func blockerOfAll(checks []*Check) *Check {
	var first *Check
	for _, c := range checks {
		<-c.done
	}
	for _, c := range checks {
		root := c.blocker()
		if root == nil {
			return nil
		}
		first = cmp.Or(first, root)
	}
	return first
}

// whyNot returns the text that says why a check that needs c was not made.
func (c *Check) whyNot() string {
	if c.ended.Status == NA {
		return c.ID + " was not looked at"
	}
	return c.ID + " must be right first"
}
