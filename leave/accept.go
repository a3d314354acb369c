package leave

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Limits bound the jobs.
type Limits struct {
	PerUser int // LIVEKIT_MAX_JOBS_PER_USER
	All     int // LIVEKIT_MAX_JOBS
}

// LimitError says which limit a delegation is over.
type LimitError struct {
	Limit   string // "user", "all", "homeserver", "outage" or "replaced"
	Setting string // the variable that raises it
	Most    int    // jobs; 0 where it is not jobs that are counted
}

func (e *LimitError) Error() string {
	text := "as many leaves are delegated as " + e.Setting + " allows"
	if e.Most > 0 {
		text += fmt.Sprintf(" (%d)", e.Most)
	}
	return text
}

// Delegate takes over a leave within a second, also when the caller goes away
// meanwhile: then it is needed all the more. When nil is returned, this leave
// is kept, or one of the same key that was delegated later is and has this one
// cancelled. A *[LimitError] is the caller's fault; other errors are the
// store's, and the leave is not kept.
//
// The limits are exact for a user as long as the store answers within 200 ms:
// of its delegations to this process one is counted and stored after the
// other. Over the limits of all jobs, and of one homeserver, go at most as
// many as are delegated at the same moment, and so it is between replicas.
func (k *Keeper) Delegate(ctx context.Context, job Job, limits Limits) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	defer k.turns.take(job.User)()
	old, err := k.Store.Get(ctx, job.Key)
	isNew := errors.Is(err, ErrNotFound)
	if err != nil && !isNew {
		return err
	}
	if !isNew && !job.mayReplace(old) {
		return errManyReplaced
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
	k.Wake()
	return nil
}

// needed is what a delegation adds to the jobs there are.
type needed struct {
	all, ofUser      int
	load, loadOfUser float64 // to the homeserver's
}

// needs is what job adds, in place of old unless it is new. What replaces its
// like adds nothing, but a shorter delay has to be restarted more often.
func needs(job, old Job, isNew bool) needed {
	n := needed{all: 1, ofUser: 1, load: Load(job.Delay), loadOfUser: Load(job.Delay)}
	if isNew {
		return n
	}
	n.all = 0
	if old.User == job.User {
		n.ofUser = 0
		n.loadOfUser -= Load(old.Delay)
	}
	if old.User.Server() == job.User.Server() {
		n.load -= Load(old.Delay)
	}
	return n
}

// admit reports whether there is room for job, which needs n.
func (k *Keeper) admit(ctx context.Context, job Job, n needed, limits Limits) error {
	if n.all == 0 && n.ofUser == 0 && n.load <= 0 && n.loadOfUser <= 0 {
		return nil
	}
	there, err := k.Store.Count(ctx, job.User)
	switch {
	case err != nil:
		return err
	case n.ofUser > 0 && there.OfUser >= limits.PerUser:
		return &LimitError{"user", "LIVEKIT_MAX_JOBS_PER_USER", limits.PerUser}
	case n.all > 0 && there.All >= limits.All:
		return &LimitError{"all", "LIVEKIT_MAX_JOBS", limits.All}
	case n.load > 0 && !k.Budget.Carries(job.User.Server(), there.Load+n.load, k.now()),
		n.loadOfUser > 0 && !k.Budget.shares(job.User.Server(), there.LoadOfUser+n.loadOfUser, there.Load-there.LoadOfUser, k.now()):
		return &LimitError{Limit: "homeserver", Setting: "LIVEKIT_DELAYED_EVENT_RATE"}
	}
	return nil
}

// put stores job. When one of the key that was delegated later is there
// already, that one gets this to cancel: abandoned, it would empty the live
// member when it fires.
func (k *Keeper) put(ctx context.Context, job Job) error {
	for range writeTries {
		_, err := k.Store.Put(ctx, job)
		if !errors.Is(err, ErrSuperseded) {
			return err
		}
		later, err := k.Store.Get(ctx, job.Key)
		if err == nil && later.DelayID == job.DelayID {
			return nil
		}
		if err == nil && !later.mayReplace(job) {
			return errManyReplaced
		}
		if err == nil {
			_, err = k.Store.Save(ctx, later.Replacing(job))
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict): // it has ended or changed meanwhile
		default:
			return err
		}
	}
	return ErrConflict
}

// mayBeStored reports whether a write that returned err may have happened.
func mayBeStored(err error) bool {
	_, limited := errors.AsType[*LimitError](err)
	return !limited && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrForgotten)
}

// withdraw removes a new job that its client was told is not kept, though it
// may be. One that has replaced another meanwhile stays, nobody would restart
// either, and so does one that was delegated again.
func (k *Keeper) withdraw(ctx context.Context, job Job) {
	asking, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	job.AcceptedAt = job.AcceptedAt.Truncate(time.Millisecond) // as stores keep it
	stored, err := k.Store.Get(asking, job.Key)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		k.Log.LogAttrs(ctx, slog.LevelWarn, "leave: a delegation that was refused may be stored",
			append(attrs(job), slog.String("err", err.Error()))...)
	case stored.Same(job) && len(stored.Replaces) == 0:
		k.end(ctx, stored, slog.LevelWarn, "the store took too long, and its client was told that it is not kept")
	}
}

// Report is what the SFU says has happened, in a webhook: a hint. It may come
// twice, late, in any order, or not at all.
type Report struct {
	Key
	Event   Event
	Session string // participant.sid, "" when it was missing
	Reason  Reason
}

// Event is what happened.
type Event int

// The events.
const (
	Joined Event = iota
	Left
	Aborted
)

// Report writes a report to the job concerned, if there is one, and returns
// when it is stored, within a second. Acting on it comes after. [ErrAway] says
// that it is to come again: the store does not answer and this process does not
// know the job, as another may, or others were always quicker to write.
func (k *Keeper) Report(ctx context.Context, r Report) error {
	k.silence.heard.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	err := k.report(ctx, r)
	switch {
	case errors.Is(err, ErrNotFound) && !errors.Is(err, ErrAway):
		return nil
	case errors.Is(err, ErrConflict):
		return fmt.Errorf("%w (%w)", ErrAway, err)
	}
	return err
}

func (k *Keeper) report(ctx context.Context, r Report) error {
	job, err := k.Store.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	err = k.retry(ctx, job, func(ctx context.Context, current Job) error {
		next := k.apply(current, r, k.now())
		_, err := k.Store.Save(ctx, next)
		if err == nil && next.State != current.State {
			k.logState(current, next)
		}
		return err
	})
	k.Wake()
	return err
}

func (k *Keeper) apply(j Job, r Report, now time.Time) Job {
	switch r.Event {
	case Joined:
		return j.Joined(now, r.Session)
	case Aborted:
		return j.Aborted(now, r.Session, r.Reason, k.Grace)
	}
	return j.Left(now, r.Session, r.Reason, k.Grace)
}
