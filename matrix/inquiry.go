package matrix

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"matrixrtc-auth/internal/semaphore"
)

// inquiries finds out one thing about servers. Callers that ask about the same
// server wait for the same inquiry. Each caller brings its own slot: one that
// waits behind others of its client network delays nobody else's inquiry about
// the same server. An inquiry that has no slot yet ends with its last caller;
// one that is under way goes on, since others will want its answer.
type inquiries[V any] struct {
	// callers bounds those who wait, slots what is under way; both count by the
	// client network that asks.
	callers, slots *semaphore.Keyed[netip.Prefix]
	timeout        time.Duration // of one inquiry that is under way

	mu sync.Mutex
	of map[ServerName]*inquiry[V]
}

// inquiry is one question about one server.
type inquiry[V any] struct {
	callers int             // who wait for it
	begun   context.Context // ends when it gets under way
	begin   context.CancelFunc
	done    chan struct{} // closed when the answer is there
	answer  V
}

// newInquiries returns inquiries that take at most timeout each. Zero bounds
// are none.
func newInquiries[V any](callers, slots semaphore.Bounds, timeout time.Duration) *inquiries[V] {
	return &inquiries[V]{
		callers: semaphore.New[netip.Prefix](callers),
		slots:   semaphore.New[netip.Prefix](slots),
		timeout: timeout,
		of:      make(map[ServerName]*inquiry[V]),
	}
}

// busyError says that too many callers ask, or that no slot came in time.
type busyError struct{ why string }

func (e *busyError) Error() string { return e.why }

// ask has find say what is to be known of server, unless somebody else's find is
// already under way, and returns the answer. It waits until ctx ends. Errors are
// *busyError, or that of ctx.
func (q *inquiries[V]) ask(ctx context.Context, server ServerName, from netip.Prefix, find func(context.Context) V) (answer V, err error) {
	leave, ok := q.callers.TryAcquire(from)
	if !ok {
		return answer, &busyError{"too many requests wait until a server is found"}
	}
	defer leave()
	i := q.join(server)
	defer q.part(server, i)
	if err := q.getUnderWay(ctx, server, from, i, find); err != nil {
		return answer, err
	}
	select {
	case <-i.done:
		return i.answer, nil
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}

// hint has find begin if a slot is free, and waits for nothing.
func (q *inquiries[V]) hint(ctx context.Context, server ServerName, from netip.Prefix, find func(context.Context) V) {
	if release, ok := q.slots.TryAcquire(from); ok {
		i := q.join(server)
		q.run(ctx, server, i, release, find)
		q.part(server, i)
	}
}

// getUnderWay returns when i is under way: because this caller has a slot for
// it, or another one had.
func (q *inquiries[V]) getUnderWay(ctx context.Context, server ServerName, from netip.Prefix, i *inquiry[V], find func(context.Context) V) error {
	if i.begun.Err() != nil {
		return nil
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(i.begun, cancel)()
	release, err := q.slots.Acquire(waiting, from)
	switch {
	case err == nil:
		q.run(ctx, server, i, release, find)
	case i.begun.Err() != nil:
	case ctx.Err() == context.DeadlineExceeded:
		return &busyError{fmt.Sprintf("too many servers are looked for: %v", ctx.Err())}
	default:
		return ctx.Err()
	}
	return nil
}

// run makes the inquiry in a goroutine, and gives back its slot then. If i is
// under way already it gives the slot back at once.
func (q *inquiries[V]) run(ctx context.Context, server ServerName, i *inquiry[V], release func(), find func(context.Context) V) {
	q.mu.Lock()
	begun := i.begun.Err() != nil
	i.begin()
	q.mu.Unlock()
	if begun {
		release()
		return
	}
	go func() {
		defer release()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.timeout)
		defer cancel()
		i.answer = find(ctx)
		q.mu.Lock()
		delete(q.of, server)
		q.mu.Unlock()
		close(i.done)
	}()
}

func (q *inquiries[V]) join(server ServerName) *inquiry[V] {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.of[server]
	if i == nil {
		i = &inquiry[V]{done: make(chan struct{})}
		i.begun, i.begin = context.WithCancel(context.Background())
		q.of[server] = i
	}
	i.callers++
	return i
}

// part forgets an inquiry that nobody waits for, unless it is under way.
func (q *inquiries[V]) part(server ServerName, i *inquiry[V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i.callers--; i.callers == 0 && i.begun.Err() == nil {
		delete(q.of, server)
	}
}
