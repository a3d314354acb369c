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
	// panicPause is how long a job is left alone at least that has had a worker
	// panic; longer where its lease lasts longer, for it may be that only one of
	// the things it asks for does that.
	panicPause = time.Second
	// stackPause is the least time between two stacks in the log.
	stackPause = time.Second
	// maxPanic is how much of what a worker panicked with is logged, in bytes.
	maxPanic = 500
)

// work does what a job asks for. A panic, which is a fault of this program or of
// the record, ends the job's turn, not the process.
func (k *Keeper) work(ctx context.Context, t task) {
	p, stack := caught(func() { k.act(ctx, t) })
	if p == nil {
		return
	}
	k.logPanic(p, stack, attrs(t.Job)...)
	_, _ = caught(func() { k.leaveAlone(ctx, t.Job) })
}

// leaveAlone keeps a job lent for a while, so that nobody works on it. If the
// store does not take that, the lease runs out sooner.
func (k *Keeper) leaveAlone(ctx context.Context, job leave.Job) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	job.Lease = leave.Lease{Holder: k.Holder, Until: k.now().Add(max(panicPause, job.LeaseTime()))}
	_, _ = k.Store.Save(ctx, job)
}

// caught calls do and returns what it panicked with, nil if it did not, and
// where.
func caught(do func()) (p any, stack []byte) {
	defer func() {
		if p = recover(); p != nil {
			stack = debug.Stack()
		}
	}()
	do()
	return nil, nil
}

// logPanic names the job or the room. The stack comes along unless there was
// one just now: many jobs may have the same trouble.
func (k *Keeper) logPanic(p any, stack []byte, about ...slog.Attr) {
	about = append(about, slog.String("panic", text.Clip(fmt.Sprint(p), maxPanic)))
	now, last := k.now().UnixMilli(), k.stackAt.Load()
	if now-last >= stackPause.Milliseconds() && k.stackAt.CompareAndSwap(last, now) {
		about = append(about, slog.String("stack", string(stack)))
	}
	k.Log.LogAttrs(context.Background(), slog.LevelError, "leave: a fault of this program; please report it", about...)
}
