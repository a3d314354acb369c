package keeper

import (
	"context"
	"errors"
	"log/slog"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// logStore logs a failed write. The job is claimed again when its lease runs
// out. A job that no longer exists needs no write.
func (k *Keeper) logStore(doing string, job leave.Job, err error) {
	if err == nil || errors.Is(err, leave.ErrNotFound) {
		return
	}
	k.Log.LogAttrs(context.Background(), slog.LevelError, "leave: "+doing,
		append(attrs(job), slog.String("err", err.Error()))...)
}

// logState writes the single log line of a state change.
func (k *Keeper) logState(before, after leave.Job) {
	k.Log.LogAttrs(context.Background(), slog.LevelInfo, "leave: state changed",
		append(attrs(after), slog.String("from", string(before.State)))...)
}

// logClaim logs which process claimed a job, to show what a process worked on
// when it died. There are as many such lines as jobs, so a disabled line costs
// nothing.
func (k *Keeper) logClaim(ctx context.Context, job leave.Job) {
	if k.Log.Enabled(ctx, slog.LevelDebug) {
		k.Log.LogAttrs(ctx, slog.LevelDebug, "leave: job claimed", attrs(job)...)
	}
}

// logFailure warns of the first failure in a row. It logs the others at debug
// level, because each job may repeat them every few seconds.
func (k *Keeper) logFailure(job leave.Job, action leave.Action, before int, err error) {
	level := slog.LevelWarn
	if before > 0 {
		level = slog.LevelDebug
	}
	k.Log.LogAttrs(context.Background(), level, "leave: "+string(action)+" failed",
		append(attrs(job), slog.String("result", string(matrix.ResultOf(err))), slog.String("err", err.Error()))...)
}

// attrs returns the attributes of every log line about a job.
func attrs(j leave.Job) []slog.Attr {
	return []slog.Attr{
		slog.String("room", string(j.Room)), slog.String("identity", string(j.Identity)),
		slog.String("user", j.User.String()), slog.String("delay_hash", j.DelayID.Hash()),
		slog.String("state", string(j.State)), slog.Duration("delay", j.Delay),
	}
}
