package keeper

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

const (
	patrolTick = time.Second
	patrolMost = 100 // how many rooms the keeper claims at most in one tick
	// roomsAtOnce is the number of rooms about which the keeper asks the SFU at the same
	// time. If a node is dead, such a question can take seconds.
	roomsAtOnce = 32
	// neverOff is the longest time between two questions to the SFU about who is in a
	// room. It also applies if the operator has turned these questions off, because
	// webhooks can be lost.
	neverOff = 10 * time.Minute
)

// patrol asks the SFU once per interval who is in each room. So it finds participants
// who came or went without a webhook. It also asks LiveKit nodes about rooms for which
// presence.Presence.Doubt was called.
func (k *Keeper) patrol(ctx context.Context) {
	looks := looks{permits: make(chan struct{}, roomsAtOnce), panicked: k.logPanic, under: map[sfu.Room]bool{}}
	defer looks.running.Wait()
	for timing.Sleep(ctx, k.jittered(patrolTick)) {
		if k.presence.Away() {
			continue
		}
		for room, since := range k.presence.Doubted() {
			if !looks.start(room, func() { k.askOldest(ctx, room, since) }) {
				// Another goroutine asks the SFU about this room at the moment. It may have
				// begun before the call of Doubt, so its answer does not settle the doubt.
				// The node must be asked later.
				k.presence.Doubt(room)
			}
		}
		now := k.now()
		every := k.every(now)
		rooms, err := k.Store.ClaimRooms(ctx, now, every, patrolMost)
		if err != nil {
			continue // Keeper.claim logs the same failure
		}
		for _, room := range rooms {
			looks.start(room, func() { k.inspect(ctx, room, every) })
		}
	}
}

// askInTurn asks LiveKit nodes about all participants of a room. It does so after every
// fourth time that patrol has asked who is in the room. It runs in its own goroutine,
// because the questions to nodes wait for each other and would delay patrol.
func (k *Keeper) askInTurn(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	for timing.Sleep(ctx, k.jittered(patrolTick)) {
		for room, ok := k.presence.Planned(); ok && ctx.Err() == nil; room, ok = k.presence.Planned() {
			if p, stack := caught(func() { k.askAll(ctx, &asking, room) }); p != nil {
				k.logPanic(p, stack, slog.String("room", string(room)))
			}
		}
	}
}

func (k *Keeper) askAll(ctx context.Context, asking *sync.WaitGroup, room sfu.Room) {
	jobs, err := k.Store.Room(ctx, room)
	if err != nil {
		return // Keeper.claim logs the same failure
	}
	k.presence.AskAll(ctx, asking, room, jobs, func(job leave.Job, a leave.Answer) {
		if a.Node != leave.NodeRefuses {
			return
		}
		k.note(ctx, job, func(j leave.Job) leave.Job {
			if j.State != leave.Connected || j.Session != job.Session {
				return j // meanwhile the SFU's record has disappeared, or the participant has come back
			}
			return k.told(a)(j)
		})
	})
}

// looks holds the looks that are running. In a look, the keeper asks the SFU who is in
// a room.
type looks struct {
	running  sync.WaitGroup
	permits  chan struct{}
	panicked func(p any, stack []byte, about ...slog.Attr)

	mu    sync.Mutex
	under map[sfu.Room]bool
}

// start runs the function look in a new goroutine. look asks the SFU who is in room.
// While roomsAtOnce such functions are running, start waits. If one is running for the
// same room, start does not run look, and reports false.
func (l *looks) start(room sfu.Room, look func()) (started bool) {
	l.permits <- struct{}{}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under[room] {
		<-l.permits
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
		<-l.permits
	})
	return true
}

// returning is the time between two questions to the SFU about who is in a room, for
// some time after an outage of the SFU. Clients reconnect then, so the keeper asks more
// often.
const returning = 3 * time.Second

// every returns the time after which the keeper asks again who is in a room. Usually
// this is Interval, which is 60 s unless LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS is set.
// If Interval is 0 or more than 10 min, the time is 10 min (neverOff).
//
// The keeper asks about all rooms right after its start and right after an outage of
// the SFU. After the end of an outage, the time is at most 3 s (returning) for a period
// of 2 * Grace.Outage.
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

// inspect asks the SFU who is in a room, and compares the answer with the room's jobs.
// The argument every is the time between two such questions.
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
		return // ctx has ended because the program ends
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
	k.wake()
}

// cameAnew calls Doubt for room if a participant has joined the room again without a
// webhook. After that call, the keeper soon asks LiveKit nodes about the room.
func (k *Keeper) cameAnew(room sfu.Room, jobs []leave.Job, answers []leave.Answer) {
	for i, job := range jobs {
		if job.State == leave.Connected && answers[i].Session != "" && answers[i].Session != job.Session {
			k.presence.Doubt(room)
			return
		}
	}
}

// askOldest asks the node of the participant who has been in room for longest. The
// argument since is when Doubt was last called for room. If that node does not hold the
// participant's session, askOldest asks about all other participants who were in room
// before that time.
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

// bringBack creates the room if it does not exist but is needed: the participant of one
// of the jobs should be in the room, or may come back to it. Without the room, clients
// cannot reconnect, and the keeper cannot tell which participants are gone.
func (k *Keeper) bringBack(ctx context.Context, room sfu.Room, jobs []leave.Job, answers []leave.Answer) error {
	for i, job := range jobs {
		if job.Lacks(answers[i]) {
			return k.createRoom(ctx, room)
		}
	}
	return nil
}
