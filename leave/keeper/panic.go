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
	// panicPause is the least time that a job waits after its worker has
	// panicked. The job waits for one [leave.Job.LeaseTime] if that is longer.
	panicPause = time.Second
	// stackPause is the least time between two logged stacks.
	stackPause = time.Second
	// maxPanic bounds the logged bytes of a panic's value.
	maxPanic = 500
)

// work does one action for a job. A panic, caused by a fault of the program or of
// the record, ends only this action, not the process.
func (k *Keeper) work(ctx context.Context, t task) {
	p, stack := caught(func() { k.act(ctx, t) })
	if p == nil {
		return
	}
	k.logPanic(p, stack, attrs(t.Job)...)
	_, _ = caught(func() { k.leaveAlone(ctx, t.Job) })
}

// leaveAlone extends the lease of a job, so that no worker claims the job for a
// while. If the store refuses the write, the lease ends sooner.
func (k *Keeper) leaveAlone(ctx context.Context, job leave.Job) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	job.Lease = leave.Lease{Holder: k.Holder, Until: k.now().Add(max(panicPause, job.LeaseTime()))}
	_, _ = k.Store.Save(ctx, job)
}

// caught calls do and recovers a panic. It returns the panic's value and stack,
// nil if there was none.
func caught(do func()) (p any, stack []byte) {
	defer func() {
		if p = recover(); p != nil {
			stack = debug.Stack()
		}
	}()
	do()
	return nil, nil
}

// logPanic logs a panic with the job or room that it was about. It leaves out the
// stack if another stack was logged within stackPause, because many jobs may have
// the same fault.
func (k *Keeper) logPanic(p any, stack []byte, about ...slog.Attr) {
	about = append(about, slog.String("panic", text.Clip(fmt.Sprint(p), maxPanic)))
	now, last := k.now().UnixMilli(), k.stackAt.Load()
	if now-last >= stackPause.Milliseconds() && k.stackAt.CompareAndSwap(last, now) {
		about = append(about, slog.String("stack", string(stack)))
	}
	k.Log.LogAttrs(context.Background(), slog.LevelError, "leave: a fault of this program; please report it", about...)
}
