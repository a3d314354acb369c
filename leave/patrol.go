package leave

import (
	"cmp"
	"context"
	"time"

	"matrixrtc-auth/sfu"
)

const (
	patrolTick = time.Second
	patrolMost = 100 // rooms looked at in one tick
	// neverOff is the longest interval, also of an operator who set none: a
	// webhook can always be lost.
	neverOff = 10 * time.Minute
)

// patrol looks into every room once an interval, for what was not reported.
func (k *Keeper) patrol(ctx context.Context) {
	for sleep(ctx, k.jittered(patrolTick)) {
		if down, _ := k.watch.state(); down {
			continue
		}
		now := k.now()
		rooms, err := k.Store.ClaimRooms(ctx, now, k.every(now), patrolMost)
		if err != nil {
			continue // the claim of jobs reports the same store
		}
		for _, room := range rooms {
			k.inspect(ctx, room)
		}
	}
}

// returning is how often rooms are looked into while clients come back to an
// SFU that was away.
const returning = 3 * time.Second

// every is how long ago the last look into a room may be: after a start of the
// program every room is looked into at once, and also after an outage of the
// SFU, and again while clients come back.
// Whoever is there by the end of that time, but not at that very moment, has
// been seen.
func (k *Keeper) every(now time.Time) time.Duration {
	every := min(cmp.Or(k.Interval, neverOff), neverOff)
	_, recovered := k.watch.state()
	if !recovered.IsZero() && now.Sub(recovered) <= 2*k.Grace.Outage {
		every = min(every, returning)
	}
	return min(every, now.Sub(later(recovered, k.started)))
}

// inspect compares a room's jobs with who is in it.
func (k *Keeper) inspect(ctx context.Context, room sfu.Room) {
	jobs, err := k.Store.Room(ctx, room)
	if err != nil || len(jobs) == 0 {
		return
	}
	asking, cancel := context.WithTimeout(ctx, 5*askTime)
	defer cancel()
	sessions, err := k.SFU.Sessions(asking, room)
	if err != nil {
		k.unheard(ctx, jobs, err)
		return
	}
	k.sfuAnswered()
	now := k.now()
	k.listen(jobs, sessions, now)
	var missing []Job
	for _, job := range jobs {
		if sessions[job.Identity] == "" && job.State == Connected {
			missing = append(missing, job)
		}
		if change := found(job, sessions[job.Identity], now); change != nil {
			k.write(ctx, job, change)
		}
	}
	if len(missing) > 0 {
		k.miss(ctx, room, missing)
	}
	k.Wake()
}

// found returns what it means for a job that the session is there, nil for
// nothing new.
func found(job Job, session string, now time.Time) func(Job) Job {
	switch {
	case session == "" || job.State == Cancelling:
		return nil
	case session == job.Session && job.State == Connected && job.SilentSince.IsZero():
		return nil
	}
	return func(j Job) Job { return j.Present(now, session) }
}

// miss is told of jobs whose participants should be in room and are not.
// Whether they left it or the SFU has lost it is asked at once, so that the
// room is there for who comes back.
func (k *Keeper) miss(ctx context.Context, room sfu.Room, jobs []Job) {
	remade, err := k.remade(ctx, room, jobs...)
	if err != nil {
		k.unheard(ctx, jobs, err)
		return
	}
	now := k.now()
	outage := k.watch.outage(k.Grace, now)
	for _, job := range jobs {
		k.write(ctx, job, func(j Job) Job {
			switch {
			case j.State != Connected:
				return j
			case !remade.IsZero():
				return j.Forgotten(now, remade, k.Grace.Outage)
			}
			return j.Absent(now, k.Grace.Confirm, outage)
		})
	}
}

// unheard is told that the SFU has not said whether the participants of jobs
// are there. Those who are looked for alone hear of it themselves.
func (k *Keeper) unheard(ctx context.Context, jobs []Job, err error) {
	if ctx.Err() != nil {
		return // the program ends
	}
	k.sfuFailed(err)
	now := k.now()
	for _, job := range jobs {
		if job.State == Connected && job.SilentSince.IsZero() {
			k.write(ctx, job, func(j Job) Job { return j.unheard(now) })
		}
	}
}
