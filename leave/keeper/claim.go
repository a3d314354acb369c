package keeper

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

// claim claims as many due jobs as there are free workers, and starts work on
// them.
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
			// An action that has begun is finished even if the program ends.
			k.work(context.WithoutCancel(ctx), task{job, claimed, ahead})
			<-slots
			k.Wake()
		})
	}
}

// task is a job leased to this process.
type task struct {
	leave.Job
	claimed time.Time     // before the call to the store
	ahead   time.Duration // how far the wall clock was ahead at that time
}

// held reports whether the lease still lasts for a while, by our clock and by
// the wall clock. More time may have passed by the wall clock if the whole
// machine was paused, as virtual machines are.
func (k *Keeper) held(t task) bool {
	now := k.now()
	passed := now.Sub(t.claimed)
	byWall := passed + k.Clock.Ahead() - t.ahead
	return max(passed, byWall) < t.LeaseTime() && now.Before(t.Lease.Until)
}
