package keeper

import (
	"context"
	"errors"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/presence"
)

const (
	// nodeWait is how long the keeper puts off a job's next question to the SFU while
	// it asks a LiveKit node about the job. It is a little longer than a node's answer
	// takes. If the SFU's answer is only slightly in doubt (leave.SlightDoubt), the
	// keeper uses shortWait instead. busyWait is how long the keeper puts off a send if
	// it cannot ask the node, because too many questions to nodes are running already.
	nodeWait  = 6 * time.Second
	shortWait = 1500 * time.Millisecond
	busyWait  = time.Second
)

// look asks the SFU whether the job's participant is in the room. If look must also ask
// a LiveKit node, it first gives the job back to the store. So the keeper can restart
// the leave while look waits for the node's answer.
func (k *Keeper) look(ctx context.Context, t task) {
	a, err := k.presence.Of(ctx, t.Job)
	if err == nil && a.Session == "" {
		k.leftUnreported(t.Job, a)
	}
	wait := map[leave.Doubt]time.Duration{leave.SlightDoubt: shortWait, leave.GraveDoubt: nodeWait}[t.Doubts(a)]
	if err != nil || wait == 0 {
		k.giveBack(ctx, t, k.follow(ctx, t.Job, a, err))
		return
	}
	k.postpone(ctx, t, leave.Look, wait)
	a, err = k.presence.AskNode(ctx, t.Job, a)
	if errors.Is(err, presence.ErrBusy) || err != nil && t.State == leave.Connected && a.Session != "" {
		return // the job stays as it is, and the keeper asks the node again later
	}
	k.note(ctx, t.Job, k.follow(ctx, t.Job, a, err))
	k.wake()
}

// ask asks the SFU whether the participant of j is there. If the SFU's record may be
// wrong, ask also asks the participant's LiveKit node, which takes some seconds.
func (k *Keeper) ask(ctx context.Context, j leave.Job) (leave.Answer, error) {
	a, err := k.presence.Of(ctx, j)
	if err == nil && j.Doubts(a) != leave.NoDoubt {
		return k.presence.AskNode(ctx, j, a)
	}
	return a, err
}

// goesOn reports whether the keeper may send the leave after the SFU's answer a or the
// error err. If the keeper may not send it, goesOn writes what the answer changes in
// the job. If the keeper may send it, and has asked a node, goesOn renews the lease,
// because the node may have taken longer than the old lease lasts.
func (k *Keeper) goesOn(ctx context.Context, t task, a leave.Answer, err error) (task, bool) {
	if errors.Is(err, presence.ErrBusy) {
		k.postpone(ctx, t, leave.Send, busyWait)
		return t, false
	}
	change := k.follow(ctx, t.Job, a, err)
	next := change(t.Job)
	switch {
	case next.State != leave.Sending:
		k.giveBack(ctx, t, change)
		return t, false
	case a.Node == leave.NodeNotAsked:
		return t, true
	}
	t, err = k.renew(ctx, t, next)
	return t, err == nil // if the lease was not renewed, another process may work on the job
}

// follow returns a function that changes a job after a question to the SFU. The argument
// a is the SFU's answer. If err is not nil, there was no answer. If the SFU has lost the
// job's room, follow first creates the room again.
func (k *Keeper) follow(ctx context.Context, job leave.Job, a leave.Answer, err error) func(leave.Job) leave.Job {
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

// unchanged reports whether the store still has this version of job. If so, no process
// has got a webhook that the participant is back. It reports false if the store does
// not answer.
func (k *Keeper) unchanged(ctx context.Context, job leave.Job) bool {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	stored, err := k.Store.Get(ctx, job.Key)
	return err == nil && stored.Version == job.Version && !k.degraded()
}
