package keeper

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

// claim takes as many due jobs as there are free workers and starts on them.
func (k *Keeper) claim(ctx context.Context, slots chan struct{}, running *sync.WaitGroup) {
	free := cap(slots) - len(slots)
	if free == 0 || ctx.Err() != nil {
		return
	}
	claimed, ahead := k.now(), k.Clock.Ahead()
	jobs, err := k.Store.Claim(ctx, k.Holder, claimed, free)
	if err != nil {
		if ctx.Err() == nil {
			k.Log.Error("leave: claiming jobs", "err", err)
		}
		return
	}
	for _, job := range jobs {
		slots <- struct{}{}
		k.logClaim(ctx, job)
		running.Go(func() {
			// What has begun is finished, also when the program ends.
			k.work(context.WithoutCancel(ctx), task{job, claimed, ahead})
			<-slots
			k.Wake()
		})
	}
}

// task is a job lent to this process.
type task struct {
	leave.Job
	claimed time.Time     // before the store was asked
	ahead   time.Duration // of the wall clock then
}

// held reports whether the lease lasts for a while yet: by our clock, and also
// by what the wall clock says has passed. That may be more on a machine that
// was paused as a whole, as virtual ones are.
func (k *Keeper) held(t task) bool {
	now := k.now()
	passed := now.Sub(t.claimed)
	byWall := passed + k.Clock.Ahead() - t.ahead
	return max(passed, byWall) < t.LeaseTime() && now.Before(t.Lease.Until)
}
