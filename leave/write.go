package leave

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"matrixrtc-auth/matrix"
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
func (k *Keeper) write(ctx context.Context, job Job, change func(Job) Job) {
	id := job.DelayID
	err := k.retry(ctx, job, func(ctx context.Context, current Job) error {
		if current.DelayID != id {
			return nil
		}
		next := change(current)
		if next.Lease.Holder == k.Holder {
			next.Lease = Lease{}
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
func (k *Keeper) end(ctx context.Context, job Job, level slog.Level, why string) {
	id := job.DelayID
	err := k.retry(ctx, job, func(ctx context.Context, current Job) error {
		if current.DelayID != id {
			return nil
		}
		if len(current.Replaces) > 0 && current.State != Cancelling {
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
func (k *Keeper) retry(ctx context.Context, job Job, do func(context.Context, Job) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for range writeTries {
		err := do(ctx, job)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if job, err = k.Store.Get(ctx, job.Key); err != nil {
			return err
		}
	}
	return ErrConflict
}

// logStore reports a failed write. The lease runs out and the job is claimed
// again; a job that is no longer there needs no write.
func (k *Keeper) logStore(doing string, job Job, err error) {
	if err == nil || errors.Is(err, ErrNotFound) {
		return
	}
	k.Log.LogAttrs(context.Background(), slog.LevelError, "leave: "+doing,
		append(attrs(job), slog.String("err", err.Error()))...)
}

// logState is the one line of a transition.
func (k *Keeper) logState(before, after Job) {
	k.Log.LogAttrs(context.Background(), slog.LevelInfo, "leave: state",
		append(attrs(after), slog.String("from", string(before.State)))...)
}

// logClaim says who had the job in hand last, for one who asks what a process
// died with. Claims are as many as there are jobs: nobody pays for a line that
// is not written.
func (k *Keeper) logClaim(ctx context.Context, job Job) {
	if k.Log.Enabled(ctx, slog.LevelDebug) {
		k.Log.LogAttrs(ctx, slog.LevelDebug, "leave: claimed", attrs(job)...)
	}
}

// logFailure warns of the first failure of a streak. Its repetitions are as
// many as there are jobs, each some seconds: they are for who wants to see.
func (k *Keeper) logFailure(job Job, action string, before int, err error) {
	level := slog.LevelWarn
	if before > 0 {
		level = slog.LevelDebug
	}
	k.Log.LogAttrs(context.Background(), level, "leave: "+action+" failed",
		append(attrs(job), slog.String("result", string(matrix.ResultOf(err))), slog.String("err", err.Error()))...)
}

// attrs are what every line about a job has.
func attrs(j Job) []slog.Attr {
	return []slog.Attr{
		slog.String("room", string(j.Room)), slog.String("identity", string(j.Identity)),
		slog.String("user", j.User.String()), slog.String("delay_hash", j.DelayID.Hash()),
		slog.String("state", string(j.State)), slog.Duration("delay", j.Delay),
	}
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*matrix.DelayError](err); ok {
		return e.RetryAfter
	}
	return 0
}
