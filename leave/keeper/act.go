package keeper

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/pace"
)

// acts says which function does each action. An action with an urgency makes a request
// to the homeserver. The keeper postpones such an action if the homeserver's rate
// allows no request now, or if no worker is free for that homeserver.
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

// act does the first action that is due for the job of t.
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

// over returns why the job j ends without a further action. It returns "" if the job
// goes on. While the SFU is away, over treats each job as one for which the SFU gives
// no answer.
//
// If this process was just frozen for a long time, no job ends until the loop of Run
// has noticed this. The machine may have slept since the job was claimed.
func (k *Keeper) over(j leave.Job, now time.Time) string {
	if j.State == leave.Cancelling || k.Stalled(now) {
		return ""
	}
	if since, away := k.presence.AwaySince(); away {
		j = j.UnansweredFrom(since)
	}
	return j.Over(now, time.UnixMilli(k.began.Load()))
}

// finish ends a job in the state Cancelling. Either the homeserver has cancelled all
// replaced leaves, or it has sent those that the keeper could not cancel.
func (k *Keeper) finish(ctx context.Context, t task) {
	if len(t.Replaces) == 0 {
		k.end(ctx, t.Job, slog.LevelInfo, "all leaves that it had replaced are cancelled")
		return
	}
	k.end(ctx, t.Job, slog.LevelWarn, "leaves that it had replaced could not be cancelled, and the homeserver has sent them by now")
}

// workerTime is the longest wait for a worker of a homeserver. If the wait is longer,
// the keeper gives the job back. So a job of a slow homeserver does not hold up the
// jobs of other homeservers.
const workerTime = 250 * time.Millisecond

// enter takes one of the workers that the job's homeserver may have, and one token of
// the homeserver's budget. A token is the right to make one request. The worker stays in
// use until the caller calls done. If no worker or no token is free, enter returns how
// long the job must wait, and done is nil.
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
