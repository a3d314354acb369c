package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Check looks at one part of the deployment.
type Check struct {
	// ID never changes. Its part before the dot is the group. If several
	// homeservers are checked, each has a check with the same ID, and Server says
	// which homeserver a check is about.
	ID     string
	Server string
	// Needs are the checks that must end well before this one can start.
	Needs []*Check
	// Any are checks of which at least one must end well, if there are any.
	Any []*Check
	// After are checks that must have ended before this one starts, with any
	// result.
	After []*Check
	// Excuses are findings of other checks that explain findings of this one. If
	// there is such a finding, only the other check reports it. Twins are checks
	// that may look at the same place and find the same fault.
	Excuses []Excuse
	Twins   []*Check
	// Limit bounds the check. Zero means 8 s.
	Limit time.Duration
	// Grace is how long the check may run on after its context has ended, to
	// remove what it created. Zero means lastWord.
	Grace time.Duration
	// Run makes the check. It may write to values that the checks share, because
	// the checks that need this one start after its end.
	Run func(ctx context.Context) Finding

	done  chan struct{}
	ended ended
}

// Excuse is another check whose finding explains a finding of this one.
type Excuse struct {
	By *Check
	// Causes are the causes that By may find, and Shows are the causes that they
	// explain in this check. If both are empty, By and this check may find the
	// same fault.
	Causes, Shows []string
	// Here limits the excuse to findings about the same place.
	Here bool
}

const (
	defaultLimit = 8 * time.Second
	// runLimit bounds all checks together. A check that runs on then gets lastWord
	// to return its finding. With the deletion of the probe room the whole run
	// takes less than 30 s.
	runLimit = 26 * time.Second
	lastWord = 500 * time.Millisecond
)

// ended is the result of a check.
type ended struct {
	Finding
	took time.Duration
	root *Check  // the check that prevented this one, or that reports its finding; nil for none
	own  Finding // the finding of this check, even if another check reports it
}

// Progress is called when a check has ended. left is the number of checks that
// have not ended.
type Progress func(id string, status Status, left int)

// Run runs checks. Each starts when the checks that it needs have ended. Run
// returns when all have ended, or soon after runLimit. It calls progress each
// time a check has ended.
func Run(ctx context.Context, checks []*Check, progress Progress) {
	RunPatiently(ctx, 1, checks, progress)
}

// RunPatiently is Run with every limit multiplied by times, for a busy machine.
func RunPatiently(ctx context.Context, times int, checks []*Check, progress Progress) {
	patience := time.Duration(times)
	for _, c := range checks {
		c.Limit = patience * cmp.Or(c.Limit, defaultLimit)
	}
	ctx, cancel := context.WithTimeout(ctx, patience*runLimit)
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
		<-need.done // needed checks end within their limits
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
		c.ended.Finding = c.cut(ctx) // the finding may be due to the end of the run
		return
	}
	c.excuse()
}

// cut returns the finding that the run ended before the check c did.
func (c *Check) cut(ctx context.Context) Finding {
	if interrupted(ctx) {
		return NotLooked("interrupted")
	}
	return unfinished(c.ID, "the %s of the whole run were over", runLimit)
}

// interrupted reports whether the run was ended from outside, and not by its
// time limit.
func interrupted(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// excuse waits for the checks that may have found the cause of c's finding. If
// one has, only that check reports it.
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

// explains reports whether the finding f of x.By explains the finding of the
// check that has the excuse. A warning does not explain a fault.
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

// teller returns the check that reports c's finding: c itself, or the check
// whose finding explains it.
func (c *Check) teller() *Check { return cmp.Or(c.ended.root, c) }

// look runs the check within its time limit. If the check ignores the end of
// its context, it runs on in the background.
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

// blocker returns the check that prevents the checks that need c: c itself, or
// a check that c needs. It returns nil if they may start.
func (c *Check) blocker() *Check {
	switch {
	case c.ended.own.Status == Warn && !c.ended.own.Blocks, c.ended.own.Cause != nil && c.ended.own.Cause.Spares:
		return nil // even if another check reports the finding
	case c.ended.root != nil:
		return c.ended.root
	case c.ended.Status == Fail, c.ended.Status == NA, c.ended.Blocks:
		return c
	}
	return nil
}

// blockerOfAll waits until all checks have ended. If each has a blocker, it
// returns the blocker of the first one.
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

// whyNot returns the words that say why a check that needs c was not run.
func (c *Check) whyNot() string {
	if c.ended.Status == NA {
		return c.ID + " was not looked at"
	}
	return c.ID + " must be right first"
}
