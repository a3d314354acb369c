package leave

import (
	"context"
	"slices"
	"time"

	"matrixrtc-auth/sfu"
)

// presence is what the SFU says of a participant.
type presence struct {
	session string // participant.sid, "" when it is not there
	// remade, unless zero, says that it is not there because the SFU has lost
	// its room, and when the room there now was made. The SFU restarted so
	// quickly that nobody saw it away, and everybody is still to come back. The
	// room has been created again, or they could not.
	remade time.Time
}

// ask asks the SFU for the job's participant. While the SFU is away nobody asks
// but watchSFU. One whose room is not known for the same has no answer.
func (k *Keeper) ask(ctx context.Context, j Job) (presence, error) {
	if down, _ := k.watch.state(); down {
		return presence{}, errSFUAway
	}
	var there presence
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	session, err := k.SFU.Session(asking, j.Room, j.Identity)
	if err == nil && session == "" && !j.RoomSeen.IsZero() && !j.ClearLeave {
		there.remade, err = k.remade(ctx, j.Room, j)
	}
	if err != nil {
		k.sfuFailed(err)
	} else {
		k.sfuAnswered()
	}
	there.session = session
	return there, err
}

// remade returns when the room was made anew, if the SFU has lost the one that
// one of the jobs' participants was in, else the zero time. It creates the room
// again if nobody has.
func (k *Keeper) remade(ctx context.Context, room sfu.Room, jobs ...Job) (time.Time, error) {
	since, err := k.roomSince(ctx, room)
	switch {
	case err != nil:
		return time.Time{}, err
	case since.IsZero():
		return k.now(), k.createRoom(ctx, room)
	case slices.ContainsFunc(jobs, func(j Job) bool { return j.isBefore(since) }):
		return since, nil
	}
	return time.Time{}, nil
}

// roomSince returns when, by our clock, the room was made that is there now, at
// the latest: when our host's wall clock was set, nobody knows whether the SFU's
// was. A room that is taken for a newer one costs a grace, once.
func (k *Keeper) roomSince(ctx context.Context, room sfu.Room) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	since, err := k.SFU.RoomSince(ctx, room)
	return later(since, k.Clock.Steady(since)), err
}

// clockSkew is how far the SFU's clock and ours may be apart.
const clockSkew = 2 * time.Second

// isBefore reports whether the room that was made at since, the zero time for
// none, is not the one that the participant was in.
func (j Job) isBefore(since time.Time) bool {
	return since.IsZero() || !since.Before(j.RoomSeen.Add(clockSkew))
}

// look asks the SFU whether the participant is there.
func (k *Keeper) look(ctx context.Context, t task) {
	there, err := k.ask(ctx, t.Job)
	now := k.now()
	outage := k.watch.outage(k.Grace, now)
	switch {
	case err != nil:
		trusted := !k.degraded()
		k.write(ctx, t.Job, func(j Job) Job { return j.Unanswered(now, outage, trusted) })
	case there.session != "":
		k.write(ctx, t.Job, func(j Job) Job { return j.Present(now, there.session) })
	case !there.remade.IsZero():
		k.write(ctx, t.Job, func(j Job) Job { return j.Forgotten(now, there.remade, k.Grace.Outage) })
	default:
		k.missed(t.Job, outage)
		k.write(ctx, t.Job, func(j Job) Job { return j.Absent(now, k.Grace.Confirm, outage) })
	}
}

// confirmed asks the SFU once more whether a participant whose leave is to be
// sent is gone. If it is not, or that is not known, what follows is written.
func (k *Keeper) confirmed(ctx context.Context, t task) bool {
	there, err := k.ask(ctx, t.Job)
	now := k.now()
	outage := k.watch.outage(k.Grace, now)
	var change func(Job) Job
	switch {
	case err != nil && !(t.ClearLeave && k.unchanged(ctx, t.Job)):
		change = func(j Job) Job { return j.doubted(now) }
	case err != nil:
		return true
	case !there.remade.IsZero():
		change = func(j Job) Job { return j.Forgotten(now, there.remade, k.Grace.Outage) }
	case there.session == "" && outage > 0 && !t.ClearLeave:
		// Decided before the SFU was away: everybody has time to come back.
		change = func(j Job) Job { return j.leaving(now, outage) }
	case there.session != "" && there.session != t.LeftSession:
		change = func(j Job) Job { return j.Present(now, there.session) }
	default:
		return true
	}
	k.write(ctx, t.Job, change)
	return false
}

// unchanged asks the store whether the job is still what it was: nobody has
// heard of the participant coming back. A store that does not answer says no.
func (k *Keeper) unchanged(ctx context.Context, job Job) bool {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	stored, err := k.Store.Get(ctx, job.Key)
	return err == nil && stored.Version == job.Version && !k.degraded()
}
