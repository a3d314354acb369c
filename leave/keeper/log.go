package keeper

import (
	"context"
	"errors"
	"log/slog"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// logStore logs that a write of job has failed, if err is not nil. The keeper does not
// repeat the write, because it claims the job again when the job's lease ends. If the
// store no longer has the job, logStore logs nothing, because then the write was not
// needed.
func (k *Keeper) logStore(doing string, job leave.Job, err error) {
	if err == nil || errors.Is(err, leave.ErrNotFound) {
		return
	}
	k.Log.LogAttrs(context.Background(), slog.LevelError, "leave: "+doing,
		append(attrs(job), slog.String("err", err.Error()))...)
}

// logState logs a change of a job's state.
func (k *Keeper) logState(before, after leave.Job) {
	k.Log.LogAttrs(context.Background(), slog.LevelInfo, "leave: state changed",
		append(attrs(after), slog.String("from", string(before.State)))...)
}

// logClaim logs at level debug that this process has claimed a job. If the process
// dies, the log shows on which jobs it worked. Claims are frequent, so logClaim does
// nothing unless the level is debug.
func (k *Keeper) logClaim(ctx context.Context, job leave.Job) {
	if k.Log.Enabled(ctx, slog.LevelDebug) {
		k.Log.LogAttrs(ctx, slog.LevelDebug, "leave: job claimed", attrs(job)...)
	}
}

// logFailure logs that an action of job has failed. The argument before is how many
// failures came directly before this one. The first failure is logged as a warning.
// Later failures are logged at level debug, because each job may fail again every few
// seconds.
func (k *Keeper) logFailure(job leave.Job, action leave.Action, before int, err error) {
	level := slog.LevelWarn
	if before > 0 {
		level = slog.LevelDebug
	}
	k.Log.LogAttrs(context.Background(), level, "leave: "+string(action)+" failed",
		append(attrs(job), slog.String("result", string(matrix.ResultOf(err))), slog.String("err", err.Error()))...)
}

// attrs returns the attributes that every log line about the job j has.
func attrs(j leave.Job) []slog.Attr {
	return []slog.Attr{
		slog.String("room", string(j.Room)), slog.String("identity", string(j.Identity)),
		slog.String("user", j.User.String()), slog.String("delay_hash", j.DelayID.Hash()),
		slog.String("state", string(j.State)), slog.Duration("delay", j.Delay),
	}
}
