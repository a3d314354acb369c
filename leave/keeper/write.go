package keeper

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"matrixrtc-auth/leave"
)

const (
	// storeTime is how long one write or read of the store may take. A store that takes
	// longer counts as away.
	storeTime = time.Second
	// writeTries is how often the keeper tries to write a job if another writer is
	// faster each time.
	writeTries = 8
)

// giveBack applies change to a leased job, writes the result, and ends the lease of
// this process.
func (k *Keeper) giveBack(ctx context.Context, t task, change func(leave.Job) leave.Job) {
	// The lease of this task may have been extended, but it ends before the time last.
	// A lease that ends later is a newer one: another worker of this process has
	// claimed the job.
	last := t.Lease.Until.Add(t.LeaseTime() / 2)
	k.note(ctx, t.Job, func(j leave.Job) leave.Job {
		j = change(j)
		if j.Lease.Holder == k.Holder && j.Lease.Until.Before(last) {
			j.Lease = leave.Lease{}
		}
		return j
	})
}

// note applies change to the job and writes the result. If the job in the store was
// changed meanwhile, usually because of a webhook, note applies change to the changed
// job. This is right, because change records a fact that is still true. If the store
// now has a job of another delegation, or the job has ended, note does nothing.
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

// renew writes the changed job (the argument next) with a new lease. It returns an
// error if another process has written the job in between, or if the store does not
// answer.
func (k *Keeper) renew(ctx context.Context, t task, next leave.Job) (task, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	t.claimed, t.ahead = k.now(), k.Clock.Ahead()
	next.Lease = leave.Lease{Holder: k.Holder, Until: t.claimed.Add(next.LeaseTime())}
	saved, err := k.Store.Save(ctx, next)
	t.Job = saved
	return t, err
}

// end ends a job and logs why. If the job still has replaced leaves to cancel, it stays
// in the store in the state Cancelling.
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

// retry calls the function do with the job. If do returns ErrConflict, retry reads the
// job from the store and calls do again.
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
