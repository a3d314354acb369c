package keeper

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"matrixrtc-auth/leave"
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
		if k.presence.Away() {
			continue
		}
		now := k.now()
		rooms, err := k.Store.ClaimRooms(ctx, now, k.every(now), patrolMost)
		if err != nil {
			continue // the claim of jobs reports the same store
		}
		for _, room := range rooms {
			if p, stack := caught(func() { k.inspect(ctx, room) }); p != nil {
				k.logPanic(p, stack, slog.String("room", string(room)))
			}
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
	since := k.started
	if back := k.presence.BackSince(); !back.IsZero() {
		since = back
		if now.Sub(back) <= 2*k.Grace.Outage {
			every = min(every, returning)
		}
	}
	return min(every, now.Sub(since))
}

// inspect compares a room's jobs with who is in it.
func (k *Keeper) inspect(ctx context.Context, room sfu.Room) {
	jobs, err := k.Store.Room(ctx, room)
	if err != nil || len(jobs) == 0 {
		return
	}
	answers, err := k.presence.In(ctx, room, jobs)
	if ctx.Err() != nil {
		return // the program ends
	}
	if err == nil {
		k.cameUnreported(jobs, answers)
		err = k.bringBack(ctx, room, jobs, answers)
	}
	for i, job := range jobs {
		switch {
		case err == nil && !job.Expected(answers[i]):
			k.write(ctx, job, k.told(answers[i]))
		case err != nil && job.State == leave.Connected && job.UnansweredSince.IsZero():
			now := k.now()
			k.write(ctx, job, func(j leave.Job) leave.Job { return j.AskedInVain(now) })
		}
	}
	k.Wake()
}

// bringBack creates a room that is gone although it should have had somebody in
// it: clients that come back need it, and until it is there nobody's absence from
// it is believed.
func (k *Keeper) bringBack(ctx context.Context, room sfu.Room, jobs []leave.Job, answers []leave.Answer) error {
	lacking := false
	for i, job := range jobs {
		lacking = lacking || job.Lacks(answers[i])
	}
	if !lacking {
		return nil
	}
	return k.createRoom(ctx, room)
}
