// Package deadline bounds the time of a request at little cost.
//
// [context.WithTimeout] immediately starts a timer, and registers the new context
// with its parent. A request that only reads and writes connections needs no timer
// and no registration, because connections have deadlines themselves. A context of
// this package starts its timer and registers only when a goroutine waits for the
// context's end for the first time.
package deadline

import (
	"context"
	"sync"
	"time"
)

// WithTimeout is like [context.WithTimeout], but its timer starts with the
// first call of Done. The caller must call cancel when everything that uses ctx
// has ended.
func WithTimeout(parent context.Context, timeout time.Duration) (ctx context.Context, cancel context.CancelFunc) {
	c := &bounded{Context: parent, at: time.Now().Add(timeout)}
	if earlier, ok := parent.Deadline(); ok && earlier.Before(c.at) {
		c.at = earlier
	}
	return c, c.cancel
}

// bounded is the context that WithTimeout returns. Its field Context is the
// parent.
type bounded struct {
	context.Context
	at time.Time

	mu      sync.Mutex
	err     error           // why the context has ended; nil until Err or cancel has set it
	started context.Context // the context with a timer; nil until the first call of Done
	stop    context.CancelFunc
}

type boundedKey struct{}

// Value implements [context.Context].
func (c *bounded) Value(key any) any {
	if key == (boundedKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// Deadline implements [context.Context].
func (c *bounded) Deadline() (time.Time, bool) { return c.at, true }

// Done implements [context.Context].
func (c *bounded) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start()
	return c.started.Done()
}

// start makes c.started, the context with a timer, unless it exists already. The
// caller holds c.mu.
func (c *bounded) start() {
	if c.started != nil {
		return
	}
	c.started, c.stop = context.WithDeadline(c.Context, c.at)
	if c.err != nil {
		c.stop()
	}
}

// Err implements [context.Context].
func (c *bounded) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case c.started != nil:
		c.err = c.started.Err()
	case c.Context.Err() != nil:
		c.err = c.Context.Err()
	case !time.Now().Before(c.at):
		c.err = context.DeadlineExceeded
	}
	return c.err
}

func (c *bounded) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started != nil {
		c.stop()
	} else if c.err == nil {
		c.err = context.Canceled
	}
}

// AfterCancel is like [context.AfterFunc], but starts no timer. It is for a caller
// that watches the deadline of ctx in another way, for example with
// [net.Conn.SetDeadline]. If [WithTimeout] made ctx, and Done was never called for
// ctx, AfterCancel calls f when the parent of ctx ends. It then does not call f at the
// deadline of ctx, or when ctx itself is cancelled.
func AfterCancel(ctx context.Context, f func()) (stop func() bool) {
	// c is ctx, or the nearest context above ctx that WithTimeout made. c starts at the
	// first call of c.Done. A context below c that can end by itself has called c.Done.
	// So if c has not started, there is no such context, and it is enough to wait for
	// c's parent. If c has started, AfterCancel waits for ctx.
	if c, ok := ctx.Value(boundedKey{}).(*bounded); ok && !c.hasStarted() {
		ctx = c.Context
	}
	return context.AfterFunc(ctx, f)
}

func (c *bounded) hasStarted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.started != nil || c.err != nil
}
