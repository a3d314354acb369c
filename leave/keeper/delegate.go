package keeper

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"matrixrtc-auth/leave"
)

// Delegate accepts or refuses a leave within a second. If the caller disconnects
// meanwhile, Delegate still goes on, because then the leave is needed even more. These
// are the results:
//   - nil: the service keeps the leave. But if it already has a leave of the same key
//     that was delegated later, it keeps only the later leave, and will cancel the
//     leave of job.
//   - *[leave.LimitError]: the caller has exceeded a limit, and the service does not
//     keep the leave.
//   - any other error: it is from the store, and the service does not keep the leave.
//
// This process counts and stores the delegations of one user one after another. So the
// limits per user are exact while the store answers within 200 ms. Delegations of
// several users at the same moment can exceed the limit of all jobs and the limit of
// one homeserver. Delegations to several replicas can exceed every limit.
func (k *Keeper) Delegate(ctx context.Context, job leave.Job, limits leave.Limits) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	defer k.turns.take(job.User)()
	old, err := k.Store.Get(ctx, job.Key)
	isNew := errors.Is(err, leave.ErrNotFound)
	if err != nil && !isNew {
		return err
	}
	if !isNew && !job.MayReplace(old) {
		return leave.ErrManyReplaced
	}
	if err := k.admit(ctx, job, needs(job, old, isNew), limits); err != nil {
		return err
	}
	if err := k.put(ctx, job); err != nil {
		if isNew && mayBeStored(err) {
			go k.withdraw(context.WithoutCancel(ctx), job)
		}
		return err
	}
	k.wake()
	return nil
}

// needed says how much a delegation adds to the numbers that have a limit.
type needed struct {
	all, ofUser, ofServer int     // how many jobs it adds: in total, for its user, and for the user's homeserver
	load, loadOfUser      float64 // how many restarts per second it adds: for the user's homeserver, and for the user
}

// needs returns what job adds to the counts and loads. If isNew is false, job replaces
// the job old. Then needs subtracts old from the total. It also subtracts old from what
// job adds for its user or homeserver, if that is the user or homeserver of old, too.
func needs(job, old leave.Job, isNew bool) needed {
	n := needed{all: 1, ofUser: 1, ofServer: 1, load: leave.Load(job.Delay), loadOfUser: leave.Load(job.Delay)}
	if isNew {
		return n
	}
	n.all = 0
	if old.User == job.User {
		n.ofUser = 0
		n.loadOfUser -= leave.Load(old.Delay)
	}
	if old.User.Server() == job.User.Server() {
		n.ofServer = 0
		n.load -= leave.Load(old.Delay)
	}
	return n
}

// admit returns an error if job would exceed one of the limits. n says how many jobs and
// how much load job adds.
func (k *Keeper) admit(ctx context.Context, job leave.Job, n needed, limits leave.Limits) error {
	if n.all == 0 && n.ofUser == 0 && n.ofServer == 0 && n.load <= 0 && n.loadOfUser <= 0 {
		return nil
	}
	share := limits.Share(job.User.Server())
	there, err := k.Store.Count(ctx, job.User)
	switch {
	case err != nil:
		return err
	case n.ofUser > 0 && there.OfUser >= limits.PerUser:
		return &leave.LimitError{Limit: "user", Setting: "LIVEKIT_MAX_JOBS_PER_USER", Most: limits.PerUser}
	case n.ofServer > 0 && share < limits.All && there.OfServer >= share:
		return &leave.LimitError{Limit: "share", Setting: "LIVEKIT_MAX_JOBS, a quarter of which is for each homeserver that you do not name,", Most: share}
	case n.all > 0 && there.All >= limits.All:
		return &leave.LimitError{Limit: "all", Setting: "LIVEKIT_MAX_JOBS", Most: limits.All}
	case n.load > 0 && !k.Budget.Carries(job.User.Server(), there.Load+n.load, k.now()),
		n.loadOfUser > 0 && !k.Budget.CarriesUser(job.User.Server(), there.LoadOfUser+n.loadOfUser, there.Load-there.LoadOfUser, k.now()):
		return &leave.LimitError{Limit: "homeserver", Setting: "LIVEKIT_DELAYED_EVENT_RATE"}
	}
	return nil
}

// put stores job. If a later delegation of the same key is already stored, put stores
// no new job. Then the later job gets the task to cancel job's leave, because that
// leave would fire and end the present membership.
func (k *Keeper) put(ctx context.Context, job leave.Job) error {
	for range writeTries {
		_, err := k.Store.Put(ctx, job)
		if !errors.Is(err, leave.ErrSuperseded) {
			return err
		}
		later, err := k.Store.Get(ctx, job.Key)
		if err == nil && later.DelayID == job.DelayID {
			return nil
		}
		if err == nil && !later.MayReplace(job) {
			return leave.ErrManyReplaced
		}
		if err == nil {
			_, err = k.Store.Save(ctx, later.Replacing(job))
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, leave.ErrNotFound), errors.Is(err, leave.ErrConflict): // the later job has meanwhile ended or changed
		default:
			return err
		}
	}
	return leave.ErrConflict
}

// mayBeStored reports whether the store may have written although the write returned
// err.
func mayBeStored(err error) bool {
	_, limited := errors.AsType[*leave.LimitError](err)
	return !limited && !errors.Is(err, leave.ErrConflict) && !errors.Is(err, leave.ErrForgotten)
}

// withdraw removes a new job that the store may have written although Delegate returned
// an error. It does not remove a job that has replaced another one, because then nobody
// would cancel the replaced leave. It also does not remove a job that the client has
// delegated again.
func (k *Keeper) withdraw(ctx context.Context, job leave.Job) {
	asking, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	job.AcceptedAt = job.AcceptedAt.Truncate(time.Millisecond) // stores keep times in milliseconds
	stored, err := k.Store.Get(asking, job.Key)
	switch {
	case errors.Is(err, leave.ErrNotFound):
	case err != nil:
		k.Log.LogAttrs(ctx, slog.LevelWarn, "leave: a refused delegation may be stored, and could not be removed",
			append(attrs(job), slog.String("err", err.Error()))...)
	case stored.Same(job) && len(stored.Replaces) == 0:
		k.end(ctx, stored, slog.LevelWarn, "the store answered too late, so that the client was told that the leave is not kept")
	}
}
