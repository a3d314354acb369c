package keeper

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/pace"
)

// acts says how the keeper does each action. An action with an urgency is a request
// to the homeserver. Such an action is postponed if no request or no worker is left
// for the homeserver.
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

// act does one action for a job: the first one that is due.
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

// over returns why a job ends without a further action, or "" if it goes on. While
// the SFU is away, over treats each job as one for which the SFU gives no answer.
//
// If this process has stopped for a long time, each job goes on until the loop of
// Run has noticed that. The machine may have slept since the job was claimed.
func (k *Keeper) over(j leave.Job, now time.Time) string {
	if j.State == leave.Cancelling || k.Stalled(now) {
		return ""
	}
	if since, away := k.presence.AwaySince(); away {
		j = j.UnansweredFrom(since)
	}
	return j.Over(now, time.UnixMilli(k.began.Load()))
}

// finish removes a job in the state Cancelling that has nothing left to cancel.
func (k *Keeper) finish(ctx context.Context, t task) {
	if len(t.Replaces) == 0 {
		k.end(ctx, t.Job, slog.LevelInfo, "all leaves that it had replaced are cancelled")
		return
	}
	k.end(ctx, t.Job, slog.LevelWarn, "leaves that it had replaced could not be cancelled, and the homeserver has sent them by now")
}

// workerTime is the longest wait for a worker at a homeserver that answers soon. If
// the wait is longer, the keeper gives the job back. So one job does not keep this
// goroutine from the jobs of other homeservers.
const workerTime = 250 * time.Millisecond

// enter takes a worker and a token for the job's homeserver. A token is the right
// to make one request. The worker counts as at work there until done is called. If
// the job must wait, enter returns how long, and done is nil.
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
