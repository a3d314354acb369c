package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/leave"
)

const (
	// panicPause is how long a job waits after its worker has panicked. If
	// [leave.Job.LeaseTime] is longer, the job waits for that time instead.
	panicPause = time.Second
	// stackPause is the shortest time between two stacks in the log.
	stackPause = time.Second
	// maxPanic is how many bytes of a panic's value the log shows at most.
	maxPanic = 500
)

// work does one action for a job. If the action panics, because of a fault in the
// program or in the job's record, only this action ends, not the process.
func (k *Keeper) work(ctx context.Context, t task) {
	p, stack := caught(func() { k.act(ctx, t) })
	if p == nil {
		return
	}
	k.logPanic(p, stack, attrs(t.Job)...)
	_, _ = caught(func() { k.leaveAlone(ctx, t.Job) })
}

// leaveAlone extends the lease of a job after a panic, so that no worker claims the job
// for a while. If the store does not write the longer lease, the present lease stays.
func (k *Keeper) leaveAlone(ctx context.Context, job leave.Job) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	job.Lease = leave.Lease{Holder: k.Holder, Until: k.now().Add(max(panicPause, job.LeaseTime()))}
	_, _ = k.Store.Save(ctx, job)
}

// caught calls the function do. If do panics, caught recovers, and returns the panic's
// value and stack. Otherwise it returns nil.
func caught(do func()) (p any, stack []byte) {
	defer func() {
		if p = recover(); p != nil {
			stack = debug.Stack()
		}
	}()
	do()
	return nil, nil
}

// logPanic logs a panic, and the job or room on which the keeper was working. It leaves
// out the stack if another stack was logged less than stackPause ago, because many jobs
// may have the same fault.
func (k *Keeper) logPanic(p any, stack []byte, about ...slog.Attr) {
	about = append(about, slog.String("panic", text.Clip(fmt.Sprint(p), maxPanic)))
	now, last := k.now().UnixMilli(), k.stackAt.Load()
	if now-last >= stackPause.Milliseconds() && k.stackAt.CompareAndSwap(last, now) {
		about = append(about, slog.String("stack", string(stack)))
	}
	k.Log.LogAttrs(context.Background(), slog.LevelError, "leave: a fault of this program; please report it", about...)
}
