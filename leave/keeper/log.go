package keeper

import (
	"context"
	"errors"
	"log/slog"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
)

// logStore reports a failed write. The lease runs out and the job is claimed
// again; a job that is no longer there needs no write.
func (k *Keeper) logStore(doing string, job leave.Job, err error) {
	if err == nil || errors.Is(err, leave.ErrNotFound) {
		return
	}
	k.Log.LogAttrs(context.Background(), slog.LevelError, "leave: "+doing,
		append(attrs(job), slog.String("err", err.Error()))...)
}

// logState is the one line of a transition.
func (k *Keeper) logState(before, after leave.Job) {
	k.Log.LogAttrs(context.Background(), slog.LevelInfo, "leave: state",
		append(attrs(after), slog.String("from", string(before.State)))...)
}

// logClaim says who had the job in hand last, for one who asks what a process
// died with. Claims are as many as there are jobs: nobody pays for a line that
// is not written.
func (k *Keeper) logClaim(ctx context.Context, job leave.Job) {
	if k.Log.Enabled(ctx, slog.LevelDebug) {
		k.Log.LogAttrs(ctx, slog.LevelDebug, "leave: claimed", attrs(job)...)
	}
}

// logFailure warns of the first failure of a streak. Its repetitions are as
// many as there are jobs, each some seconds: they are for who wants to see.
func (k *Keeper) logFailure(job leave.Job, action leave.Action, before int, err error) {
	level := slog.LevelWarn
	if before > 0 {
		level = slog.LevelDebug
	}
	k.Log.LogAttrs(context.Background(), level, "leave: "+string(action)+" failed",
		append(attrs(job), slog.String("result", string(matrix.ResultOf(err))), slog.String("err", err.Error()))...)
}

// attrs are what every line about a job has.
func attrs(j leave.Job) []slog.Attr {
	return []slog.Attr{
		slog.String("room", string(j.Room)), slog.String("identity", string(j.Identity)),
		slog.String("user", j.User.String()), slog.String("delay_hash", j.DelayID.Hash()),
		slog.String("state", string(j.State)), slog.Duration("delay", j.Delay),
	}
}
