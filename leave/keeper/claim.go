package keeper

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

// claim claims as many due jobs as there are free workers, and starts work on them.
// If a replica dies, the jobs that it had claimed are due again when their leases
// end ([leave.Job.LeaseTime]). Then another replica claims them.
func (k *Keeper) claim(ctx context.Context, permits chan struct{}, running *sync.WaitGroup) {
	free := cap(permits) - len(permits)
	k.full.Store(free == 0)
	if free == 0 || ctx.Err() != nil {
		return
	}
	claimed, ahead := k.now(), k.Clock.Ahead()
	jobs, err := k.Store.Claim(ctx, k.Holder, claimed, free)
	if err != nil {
		if ctx.Err() == nil {
			k.Log.Error("leave: due jobs could not be claimed", "err", err)
		}
		return
	}
	k.full.Store(len(jobs) == free)
	for _, job := range jobs {
		permits <- struct{}{}
		k.logClaim(ctx, job)
		t := task{Job: job, claimed: claimed, ahead: ahead, free: func() {}}
		select {
		case k.tasks <- t: // a worker without a task takes this one
		default:
			running.Go(func() { k.serve(ctx, t, permits) })
		}
	}
}

// restTime is how long a worker without a task waits for the next one. If a new
// worker started instead, its stack would have to grow again. That takes about 8 %
// of the CPU time of a restart.
const restTime = 2 * leave.Tick

// serve works on t and on the tasks that come after it. It returns when no task has
// come for restTime, or when ctx has ended.
func (k *Keeper) serve(ctx context.Context, t task, permits chan struct{}) {
	rest := time.NewTimer(restTime)
	defer rest.Stop()
	for {
		// An action that has begun is finished even if the program ends.
		k.work(context.WithoutCancel(ctx), t)
		<-permits
		if k.full.Load() {
			k.wake() // more jobs may be due than there were free workers
		}
		rest.Reset(restTime)
		select {
		case t = <-k.tasks:
		case <-rest.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// task is a job leased to this process.
type task struct {
	leave.Job
	claimed time.Time     // the time just before the store was asked for the lease
	ahead   time.Duration // how far the wall clock was ahead of the keeper's clock at the time claimed
	free    func()        // gives back the worker at the homeserver, if the task has one; a second call does nothing
}

// left returns how long the lease still lasts. It measures the time that has passed
// by our clock and by the wall clock, and uses the longer one. If the whole machine
// was paused, as virtual machines are, more time has passed by the wall clock.
func (k *Keeper) left(t task) time.Duration {
	now := k.now()
	passed := now.Sub(t.claimed)
	byWall := passed + k.Clock.Ahead() - t.ahead
	return min(t.LeaseTime()-max(passed, byWall), t.Lease.Until.Sub(now))
}

// secure returns the task with a lease that is long enough for a whole request. So
// no other keeper begins the same request meanwhile. It reports false if the lease
// has ended.
func (k *Keeper) secure(ctx context.Context, t task) (task, bool) {
	left := k.left(t)
	if left <= 0 || left >= leave.Attempt(t.Delay) {
		return t, left > 0
	}
	t, err := k.renew(ctx, t, t.Job)
	return t, err == nil // after an error, another process may work on the job
}
