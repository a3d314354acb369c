package keeper

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"matrixrtc-auth/leave"
)

const (
	// storeTime bounds one write: a store that takes longer counts as away.
	storeTime = time.Second
	// writeTries bounds how often a write that lost a race is tried again.
	writeTries = 8
)

// write applies change to the job and gives it back. When somebody else has
// written meanwhile (a webhook, mostly), the change is applied to what they
// wrote: changes are facts, true whatever else has become known. A job that
// was replaced or ended stays so.
func (k *Keeper) write(ctx context.Context, job leave.Job, change func(leave.Job) leave.Job) {
	id := job.DelayID
	err := k.retry(ctx, job, func(ctx context.Context, current leave.Job) error {
		if current.DelayID != id {
			return nil
		}
		next := change(current)
		if next.Lease.Holder == k.Holder {
			next.Lease = leave.Lease{}
		}
		saved, err := k.Store.Save(ctx, next)
		if err == nil && saved.State != current.State {
			k.logState(current, saved)
		}
		return err
	})
	k.logStore("writing a job", job, err)
}

// end ends a job and says why. One that has replaced others stays until these
// are cancelled, too.
func (k *Keeper) end(ctx context.Context, job leave.Job, level slog.Level, why string) {
	id := job.DelayID
	err := k.retry(ctx, job, func(ctx context.Context, current leave.Job) error {
		if current.DelayID != id {
			return nil
		}
		if len(current.Replaces) > 0 && current.State != leave.Cancelling {
			_, err := k.Store.Save(ctx, current.Ended(k.now()))
			return err
		}
		return k.Store.Delete(ctx, current)
	})
	if err == nil {
		k.Log.LogAttrs(ctx, level, "leave: ended", append(attrs(job), slog.String("why", why))...)
	}
	k.logStore("removing a job", job, err)
}

// retry calls do with the job, and after a conflict with the job as it is
// stored by then.
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
