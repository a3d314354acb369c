package keeper

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"matrixrtc-auth/leave"
)

const (
	// storeTime is how long one write or read of the store may take. A store that
	// takes longer counts as away.
	storeTime = time.Second
	// writeTries is how often a write is tried if other writers always come first.
	writeTries = 8
)

// giveBack applies change to a leased job, and ends the lease of this process.
func (k *Keeper) giveBack(ctx context.Context, t task, change func(leave.Job) leave.Job) {
	// If the lease ends later than last, it belongs to another worker of this
	// process.
	last := t.Lease.Until.Add(t.LeaseTime() / 2)
	k.note(ctx, t.Job, func(j leave.Job) leave.Job {
		j = change(j)
		if j.Lease.Holder == k.Holder && j.Lease.Until.Before(last) {
			j.Lease = leave.Lease{}
		}
		return j
	})
}

// note applies change to the job and writes the result. Another write may come
// first, usually because of a webhook. Then note applies change to the newer job,
// because change stands for a fact that is still true. It does not change a job
// that was replaced or has ended.
func (k *Keeper) note(ctx context.Context, job leave.Job, change func(leave.Job) leave.Job) {
	id := job.DelayID
	err := k.retry(ctx, job, func(ctx context.Context, current leave.Job) error {
		if current.DelayID != id {
			return nil
		}
		saved, err := k.Store.Save(ctx, change(current))
		if err == nil && saved.State != current.State {
			k.logState(current, saved)
		}
		if err == nil && saved.Lease.Until.IsZero() && !saved.Due().After(k.now()) {
			k.wake()
		}
		return err
	})
	k.logStore("writing a job", job, err)
}

// renew writes the changed job next with a new lease. It returns an error if
// another process has written the job meanwhile, or the store does not answer.
func (k *Keeper) renew(ctx context.Context, t task, next leave.Job) (task, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	t.claimed, t.ahead = k.now(), k.Clock.Ahead()
	next.Lease = leave.Lease{Holder: k.Holder, Until: t.claimed.Add(next.LeaseTime())}
	saved, err := k.Store.Save(ctx, next)
	t.Job = saved
	return t, err
}

// end ends a job and logs why. If the job has leaves to cancel, it stays in the
// store, in the state Cancelling.
func (k *Keeper) end(ctx context.Context, job leave.Job, level slog.Level, why string) {
	id := job.DelayID
	err := k.retry(ctx, job, func(ctx context.Context, current leave.Job) error {
		if current.DelayID != id {
			return nil
		}
		if len(current.Replaces) > 0 && current.State != leave.Cancelling {
			_, err := k.Store.Save(ctx, current.Ended(k.now()))
			k.wake()
			return err
		}
		return k.Store.Delete(ctx, current)
	})
	if err == nil {
		k.Log.LogAttrs(ctx, level, "leave: job ended", append(attrs(job), slog.String("why", why))...)
	}
	k.logStore("removing a job", job, err)
}

// retry calls do with the job. After a conflict it calls do again with the
// stored job.
func (k *Keeper) retry(ctx context.Context, job leave.Job, do func(context.Context, leave.Job) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for range writeTries {
		err := do(ctx, job)
		if !errors.Is(err, leave.ErrConflict) {
			return err
		}
		if job, err = k.Store.Get(ctx, job.Key); err != nil {
			return err
		}
	}
	return leave.ErrConflict
}
