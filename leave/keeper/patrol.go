package keeper

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

const (
	patrolTick = time.Second
	patrolMost = 100 // rooms looked at in one tick
	// roomsAtOnce is how many rooms are looked into at once: a node that is gone
	// takes seconds to say so.
	roomsAtOnce = 32
	// neverOff is the longest interval, also of an operator who set none: a
	// webhook can always be lost.
	neverOff = 10 * time.Minute
)

// patrol looks into every room once an interval, for what was not reported, and
// asks the nodes of rooms that are in doubt.
func (k *Keeper) patrol(ctx context.Context) {
	looks := looks{slots: make(chan struct{}, roomsAtOnce), panicked: k.logPanic, under: map[sfu.Room]bool{}}
	defer looks.running.Wait()
	for sleep(ctx, k.jittered(patrolTick)) {
		if k.presence.Away() {
			continue
		}
		for room, since := range k.presence.Doubted() {
			if !looks.start(room, func() { k.askOldest(ctx, room, since) }) {
				k.presence.Doubt(room) // what is under way may have asked before
			}
		}
		now := k.now()
		every := k.every(now)
		rooms, err := k.Store.ClaimRooms(ctx, now, every, patrolMost)
		if err != nil {
			continue // the claim of jobs reports the same store
		}
		for _, room := range rooms {
			looks.start(room, func() { k.inspect(ctx, room, every) })
		}
	}
}

// looks are the looks into rooms that are under way.
type looks struct {
	running  sync.WaitGroup
	slots    chan struct{}
	panicked func(p any, stack []byte, about ...slog.Attr)

	mu    sync.Mutex
	under map[sfu.Room]bool
}

// start begins a look unless there is one into that room, which it reports, and
// waits while as many are under way as may be.
func (l *looks) start(room sfu.Room, look func()) (started bool) {
	l.slots <- struct{}{}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under[room] {
		<-l.slots
		return false
	}
	l.under[room] = true
	l.running.Go(func() {
		if p, stack := caught(look); p != nil {
			l.panicked(p, stack, slog.String("room", string(room)))
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.under, room)
		<-l.slots
	})
	return true
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

// inspect compares a room's jobs with who is in it, as it does once every.
func (k *Keeper) inspect(ctx context.Context, room sfu.Room, every time.Duration) {
	jobs, err := k.Store.Room(ctx, room)
	if err != nil || len(jobs) == 0 {
		return
	}
	answers, err := k.presence.In(ctx, room, jobs)
	if err == nil {
		k.cameUnreported(jobs, answers)
		k.cameAnew(room, jobs, answers)
		k.presence.AskNodes(ctx, room, every, jobs, answers)
		err = k.bringBack(ctx, room, jobs, answers)
	}
	if ctx.Err() != nil {
		return // the program ends
	}
	for i, job := range jobs {
		switch {
		case err == nil && !job.Expected(answers[i]):
			k.note(ctx, job, k.told(answers[i]))
		case err != nil && job.State == leave.Connected && job.UnansweredSince.IsZero():
			now := k.now()
			k.note(ctx, job, func(j leave.Job) leave.Job { return j.UnansweredFrom(now) })
		}
	}
	k.Wake()
}

// cameAnew puts a room in doubt that somebody has joined anew, which was not
// reported.
func (k *Keeper) cameAnew(room sfu.Room, jobs []leave.Job, answers []leave.Answer) {
	for i, job := range jobs {
		if job.State == leave.Connected && answers[i].Session != "" && answers[i].Session != job.Session {
			k.presence.Doubt(room)
			return
		}
	}
}

// askOldest asks the node of whoever has been in a room for longest, which is in
// doubt since then, and if it refuses, those of the others.
func (k *Keeper) askOldest(ctx context.Context, room sfu.Room, since time.Time) {
	jobs, err := k.Store.Room(ctx, room)
	if err != nil || len(jobs) == 0 {
		return
	}
	asked, answers := k.presence.AskOldest(ctx, room, since, jobs)
	for i, job := range asked {
		if answers[i].Node == leave.NodeRefuses {
			k.note(ctx, job, k.told(answers[i]))
		}
	}
}

// bringBack creates a room that is gone although it should have had somebody in
// it: clients that come back need it, and until it is there nobody's absence from
// it is believed.
func (k *Keeper) bringBack(ctx context.Context, room sfu.Room, jobs []leave.Job, answers []leave.Answer) error {
	for i, job := range jobs {
		if job.Lacks(answers[i]) {
			return k.createRoom(ctx, room)
		}
	}
	return nil
}
