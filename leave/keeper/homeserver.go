package keeper

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// Events sends requests about delayed events to the homeservers of the events' owners.
// Errors of the methods have the type *[matrix.DelayError].
type Events interface {
	Restart(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error
	Send(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error
	Cancel(ctx context.Context, owner matrix.UserID, id matrix.DelayID) error
}

// restart asks the homeserver to start the delay of the job's leave again. The result
// ResultGone (404 M_NOT_FOUND, or 409) ends the job. After any other failure, even a
// 401, a 403 or a 404 M_UNRECOGNIZED, the keeper tries again as long as
// [leave.Job.Over] allows.
func (k *Keeper) restart(ctx context.Context, t task) {
	t, ok := k.secure(ctx, t)
	if !ok {
		return
	}
	sent, err := k.request(ctx, t, leave.Restart, t.DelayID, t.RestartDue())
	switch matrix.ResultOf(err) {
	case matrix.ResultDone:
		next := k.jittered(leave.Period(t.Delay))
		k.giveBack(ctx, t, func(j leave.Job) leave.Job { return j.RestartDone(sent, next) })
	case matrix.ResultGone:
		k.end(ctx, t.Job, slog.LevelInfo, "the homeserver no longer has the delayed event")
	default:
		k.logFailure(t.Job, leave.Restart, t.Restarts, err)
		wait := k.backOff(t, err)
		k.giveBack(ctx, t, func(j leave.Job) leave.Job { return j.RestartFailed(k.now(), wait) })
	}
}

// send asks the SFU about the participant, and sends the leave if the participant is
// gone. If the keeper had to ask the participant's node, too, this took seconds, in
// which the participant may have come back. So send then asks the SFU once more before
// it sends the leave.
func (k *Keeper) send(ctx context.Context, t task) {
	a, err := k.ask(ctx, t.Job)
	t, goesOn := k.goesOn(ctx, t, a, err)
	if goesOn && a.Node != leave.NodeNotAsked {
		a, err = k.ask(ctx, t.Job)
		t, goesOn = k.goesOn(ctx, t, a, err)
	}
	if goesOn {
		t, goesOn = k.secure(ctx, t)
	}
	if !goesOn {
		return
	}
	_, err = k.request(ctx, t, leave.Send, t.DelayID, t.Since)
	switch matrix.ResultOf(err) {
	case matrix.ResultDone:
		k.end(ctx, t.Job, slog.LevelInfo, "sent")
	case matrix.ResultGone:
		k.end(ctx, t.Job, slog.LevelInfo, "the homeserver had already sent or dropped the delayed event")
	case matrix.ResultForbidden:
		// This 403 is final, because it is the answer to a request without an
		// as_token. If a homeserver refuses a request with an as_token,
		// DelayedEvents.manage of package matrix repeats the request without it.
		k.end(ctx, t.Job, slog.LevelWarn, "the homeserver refused it and dropped it: the owner has left the room or lacks power")
	default:
		k.logFailure(t.Job, leave.Send, t.Sends, err)
		wait := k.backOff(t, err)
		k.giveBack(ctx, t, func(j leave.Job) leave.Job { return j.SendFailed(k.now(), wait) })
	}
}

// cancel cancels one leave that the job has replaced. The leave counts as cancelled if
// it is gone, or if the homeserver refuses to cancel it (403). After any other failure,
// the keeper tries again ([leave.Job.CancelFailed]).
func (k *Keeper) cancel(ctx context.Context, t task) {
	t, ok := k.secure(ctx, t)
	if !ok {
		return
	}
	id := t.Replaces[0]
	_, err := k.request(ctx, t, leave.Cancel, id, t.AcceptedAt)
	switch matrix.ResultOf(err) {
	case matrix.ResultDone, matrix.ResultGone, matrix.ResultForbidden:
		k.giveBack(ctx, t, func(j leave.Job) leave.Job { return j.Cancelled(id) })
	default:
		k.logFailure(t.Job, leave.Cancel, t.Cancels, err)
		wait := k.backOff(t, err)
		k.giveBack(ctx, t, func(j leave.Job) leave.Job { return j.CancelFailed(k.now(), wait) })
	}
}

// request makes one request about the delayed event with the given id, and waits for
// the answer. The result sent is when request began to send it. The argument due is
// when the action was due. The caller must have called secure for the task t before, so
// that no other keeper makes the same request.
func (k *Keeper) request(ctx context.Context, t task, action leave.Action, id matrix.DelayID, due time.Time) (sent time.Time, err error) {
	do := map[leave.Action]func(context.Context, matrix.UserID, matrix.DelayID) error{
		leave.Restart: k.Events.Restart, leave.Send: k.Events.Send, leave.Cancel: k.Events.Cancel,
	}[action]
	sent = k.now()
	ctx, cancel := context.WithTimeout(ctx, leave.Attempt(t.Delay))
	defer cancel()
	err = do(ctx, t.User, id)
	k.workers.Took(t.User.Server(), k.Clock.Since(sent))
	t.free()
	if k.Observe != nil {
		k.Observe(string(action), matrix.ResultOf(err), max(sent.Sub(due), 0))
	}
	return sent, err
}

// backOff returns how long the homeserver of t asks the keeper to wait before the next
// request. err is the homeserver's last answer.
func (k *Keeper) backOff(t task, err error) time.Duration {
	var wait time.Duration
	if e, ok := errors.AsType[*matrix.DelayError](err); ok {
		wait = e.RetryAfter
	}
	if matrix.ResultOf(err) == matrix.ResultLimited {
		k.Budget.SlowDown(t.User.Server(), wait, k.now())
	}
	return wait
}
