package leave

import (
	"context"
	"errors"
	"fmt"
	"time"

	"matrixrtc-auth/matrix"
)

// Limits bound the jobs.
type Limits struct {
	PerUser int // LIVEKIT_MAX_JOBS_PER_USER
	All     int // LIVEKIT_MAX_JOBS
}

// LimitError says which limit a delegation is over.
type LimitError struct {
	Limit   string // "user", "all" or "homeserver"
	Setting string // the variable that raises it
	Most    int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("as many leaves are delegated as %s allows (%d)", e.Setting, e.Most)
}

// Delegate takes over a leave. It is kept when nil is returned. ErrSuperseded
// and *[LimitError] are the caller's fault; other errors are the store's.
func (k *Keeper) Delegate(ctx context.Context, job Job, limits Limits) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	switch old, err := k.Store.Get(ctx, job.Key); {
	case err == nil:
		job = job.Replacing(old)
	case !errors.Is(err, ErrNotFound):
		return err
	default:
		// Only what adds a job can be too much.
		if err := k.room(ctx, job.User, limits); err != nil {
			return err
		}
	}
	replaced, err := k.Store.Put(ctx, job)
	if err != nil {
		return err
	}
	if replaced != nil {
		old := *replaced
		k.write(ctx, job, func(j Job) Job { return j.Replacing(old) })
	}
	k.Wake()
	return nil
}

// room reports whether there is room for one more job of user.
func (k *Keeper) room(ctx context.Context, user matrix.UserID, limits Limits) error {
	all, ofUser, err := k.Store.Count(ctx, user)
	switch {
	case err != nil:
		return err
	case ofUser >= limits.PerUser:
		return &LimitError{"user", "LIVEKIT_MAX_JOBS_PER_USER", limits.PerUser}
	case all >= limits.All:
		return &LimitError{"all", "LIVEKIT_MAX_JOBS", limits.All}
	}
	return nil
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
// when it is stored. Acting on it comes after.
func (k *Keeper) Report(ctx context.Context, r Report) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	job, err := k.Store.Get(ctx, r.Key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = k.retry(ctx, job, func(ctx context.Context, current Job) error {
		next := k.apply(current, r, time.Now())
		_, err := k.Store.Save(ctx, next)
		if err == nil && next.State != current.State {
			k.logState(current, next)
		}
		return err
	})
	k.Wake()
	if errors.Is(err, ErrNotFound) {
		return nil
	}
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
