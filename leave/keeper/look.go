package keeper

import (
	"context"

	"matrixrtc-auth/leave"
)

// look asks the SFU whether the participant is there.
func (k *Keeper) look(ctx context.Context, t task) {
	a, err := k.presence.Of(ctx, t.Job)
	if err == nil && a.Session == "" {
		k.leftUnreported(t.Job, a)
	}
	k.write(ctx, t.Job, k.outcome(ctx, t.Job, a, err))
}

// confirmed asks the SFU once more whether a participant whose leave is to be
// sent is gone. If it is not, or that is not known, what follows is written.
func (k *Keeper) confirmed(ctx context.Context, t task) bool {
	a, err := k.presence.Of(ctx, t.Job)
	change := k.outcome(ctx, t.Job, a, err)
	if change(t.Job).State == leave.Sending {
		return true
	}
	k.write(ctx, t.Job, change)
	return false
}

// outcome is what an answer about the job's participant, or none, makes of the
// job.
func (k *Keeper) outcome(ctx context.Context, job leave.Job, a leave.Answer, err error) func(leave.Job) leave.Job {
	if err == nil {
		err = k.bringBack(ctx, job.Room, []leave.Job{job}, []leave.Answer{a})
	}
	if err == nil {
		return k.told(a)
	}
	outage, trusted := k.presence.Outage(), job.ClearLeave && k.unchanged(ctx, job)
	return func(j leave.Job) leave.Job { return j.Unanswered(k.now(), outage, trusted) }
}

func (k *Keeper) told(a leave.Answer) func(leave.Job) leave.Job {
	return func(j leave.Job) leave.Job { return j.Told(k.now(), a, k.Grace) }
}

// unchanged asks the store whether the job is still what it was: nobody has
// heard of the participant coming back. A store that does not answer says no.
func (k *Keeper) unchanged(ctx context.Context, job leave.Job) bool {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	stored, err := k.Store.Get(ctx, job.Key)
	return err == nil && stored.Version == job.Version && !k.degraded()
}
