package keeper

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/pace"
)

// acts says how each action is done. Those with an urgency are requests to the
// homeserver, and are postponed while its budget or its workers are used up.
var acts = map[leave.Action]struct {
	urgency func(leave.Job, time.Time) pace.Urgency
	run     func(*Keeper, context.Context, task)
}{
	leave.Finish:  {run: (*Keeper).finish},
	leave.Look:    {run: (*Keeper).look},
	leave.Restart: {pace.OfRestart, (*Keeper).restart},
	leave.Send:    {pace.OfLeave, (*Keeper).send},
	leave.Cancel:  {pace.OfLeave, (*Keeper).cancel},
}

// act does the most urgent action of a job.
func (k *Keeper) act(ctx context.Context, t task) {
	now := k.now()
	if why := k.over(t.Job, now); why != "" {
		k.end(ctx, t.Job, slog.LevelWarn, why)
		return
	}
	action, due := t.Next(now)
	act := acts[action]
	switch {
	case !due:
		k.giveBack(ctx, t, func(j leave.Job) leave.Job { return j })
	case act.urgency == nil:
		act.run(k, ctx, t)
	default:
		done, wait := k.enter(t.Job, act.urgency)
		if wait > 0 {
			k.postpone(ctx, t, action, wait)
			return
		}
		t.free = sync.OnceFunc(done)
		defer t.free()
		act.run(k, ctx, t)
	}
}

// over says why a job ends without an action, "" if it does not. While the SFU
// is away, every job counts as unanswered.
//
// After a long stop that the loop has not noticed yet, no job ends: the machine
// may have slept since this one was claimed.
func (k *Keeper) over(j leave.Job, now time.Time) string {
	if j.State == leave.Cancelling || k.Stalled(now) {
		return ""
	}
	if since, away := k.presence.AwaySince(); away {
		j = j.UnansweredFrom(since)
	}
	return j.Over(now, time.UnixMilli(k.began.Load()))
}

// finish drops a job that has nothing left to cancel.
func (k *Keeper) finish(ctx context.Context, t task) {
	if len(t.Replaces) == 0 {
		k.end(ctx, t.Job, slog.LevelInfo, "what it replaced is cancelled")
		return
	}
	k.end(ctx, t.Job, slog.LevelWarn, "what it replaced could not be cancelled, and has been sent by now")
}

// workerTime is the longest wait for a worker at a homeserver that answers soon. A
// job that has to wait for longer is given back: it must not keep the jobs of other
// homeservers from a worker.
const workerTime = 250 * time.Millisecond

// enter counts a worker at the job's homeserver until done is called. If there
// is no place, it returns how long the job must wait.
func (k *Keeper) enter(j leave.Job, urgency func(leave.Job, time.Time) pace.Urgency) (done func(), wait time.Duration) {
	server := j.User.Server()
	done, ok := k.workers.Await(server, urgency(j, k.now()), min(workerTime, j.LeaseTime()/4), k.now)
	now := k.now()
	if !ok {
		return nil, k.workers.Wait(server, j.Delay, now)
	}
	if wait := k.Budget.Take(server, urgency(j, now), now); wait > 0 {
		done()
		return nil, wait
	}
	return done, 0
}

func (k *Keeper) postpone(ctx context.Context, t task, action leave.Action, wait time.Duration) {
	k.giveBack(ctx, t, func(j leave.Job) leave.Job { return j.Postponed(action, k.now(), wait) })
}
