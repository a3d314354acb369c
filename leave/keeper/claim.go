package keeper

import (
	"context"
	"sync"
	"time"

	"matrixrtc-auth/leave"
)

// claim claims as many due jobs as there are free workers, and gives the jobs to
// workers. If a replica dies, the leases of its jobs end after [leave.Job.LeaseTime].
// Then another replica claims these jobs.
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
		case k.tasks <- t: // an idle worker takes the task
		default:
			running.Go(func() { k.serve(ctx, t, permits) })
		}
	}
}

// restTime is how long an idle worker waits for the next task before it ends. A new
// worker costs more than an idle one, because its stack must grow again. That takes
// about 8 % of the CPU time of a restart.
const restTime = 2 * leave.Tick

// serve is a worker. It works on t, and then on each further task from k.tasks. It
// returns when no task has come for restTime, or when ctx has ended.
func (k *Keeper) serve(ctx context.Context, t task, permits chan struct{}) {
	rest := time.NewTimer(restTime)
	defer rest.Stop()
	for {
		// The worker finishes an action that has begun, even if the program ends.
		k.work(context.WithoutCancel(ctx), t)
		<-permits
		if k.full.Load() {
			k.wake() // the last claim took only as many jobs as workers were free, so more jobs may be due
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

// task is a job on which this process holds a lease.
type task struct {
	leave.Job
	claimed time.Time     // when the keeper asked the store for the lease, by the keeper's clock
	ahead   time.Duration // how far the wall clock was ahead of the keeper's clock at the time claimed
	free    func()        // gives back the worker that Keeper.enter took for the task, if it took one; further calls do nothing
}

// left returns how long the lease of t still lasts. It measures the time since the
// claim by the keeper's clock and by the wall clock, and uses the longer one. While a
// virtual machine is paused, only the wall clock goes on.
func (k *Keeper) left(t task) time.Duration {
	now := k.now()
	passed := now.Sub(t.claimed)
	byWall := passed + k.Clock.Ahead() - t.ahead
	return min(t.LeaseTime()-max(passed, byWall), t.Lease.Until.Sub(now))
}

// secure makes sure that the lease of t is long enough for a whole request, and returns
// t with that lease. So no other keeper can begin the same request meanwhile. secure
// reports false if the lease has ended.
func (k *Keeper) secure(ctx context.Context, t task) (task, bool) {
	left := k.left(t)
	if left <= 0 || left >= leave.Attempt(t.Delay) {
		return t, left > 0
	}
	t, err := k.renew(ctx, t, t.Job)
	return t, err == nil // after an error, another process may work on the job
}
