// Package inquiry shares and bounds questions whose answer several callers want
// at one time: those about the same thing wait for one inquiry, and how many are
// under way is bounded, in all and for each asker.
package inquiry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/semaphore"
)

// Inquiries finds out one thing about subjects, with an answer of type V. Callers
// that ask about the same subject wait for the same inquiry. Each caller brings
// its own slot: one that waits behind others of its asker delays nobody else's
// inquiry about the same subject. An inquiry that has no slot yet ends with its
// last caller; one that is under way goes on, since others will want its answer.
type Inquiries[Subject, Asker comparable, V any] struct {
	// callers bounds those who wait, slots what is under way; both count by the
	// asker: a client network, a homeserver.
	callers, slots *semaphore.Keyed[Asker]
	timeout        time.Duration // of one inquiry that is under way

	mu sync.Mutex
	of map[Subject]*inquiry[V]
}

// inquiry is one question about one subject.
type inquiry[V any] struct {
	callers int             // who wait for it
	begun   context.Context // ends when it gets under way
	begin   context.CancelFunc
	done    chan struct{} // closed when the answer is there
	answer  V
	err     error // find panicked
}

// New returns Inquiries that take at most timeout each. Zero bounds are none.
func New[Subject, Asker comparable, V any](callers, slots semaphore.Bounds, timeout time.Duration) *Inquiries[Subject, Asker, V] {
	return &Inquiries[Subject, Asker, V]{
		callers: semaphore.New[Asker](callers),
		slots:   semaphore.New[Asker](slots),
		timeout: timeout,
		of:      make(map[Subject]*inquiry[V]),
	}
}

// BusyError says that too many callers ask, or that no slot came in time.
type BusyError struct{ Err error }

func (e *BusyError) Error() string { return e.Err.Error() }
func (e *BusyError) Unwrap() error { return e.Err }

var errCallers = errors.New("too many requests wait for an answer")

// Ask has find say what is to be known of subject, unless somebody else's find is
// already under way, and returns the answer. It waits until ctx ends. Errors are
// *[BusyError], that of ctx, or a *[fault.Error] where find panicked.
func (q *Inquiries[Subject, Asker, V]) Ask(ctx context.Context, subject Subject, from Asker, find func(context.Context) V) (answer V, err error) {
	leave, ok := q.callers.TryAcquire(from)
	if !ok {
		return answer, &BusyError{errCallers}
	}
	defer leave()
	i := q.join(subject)
	defer q.part(subject, i)
	if err := q.getUnderWay(ctx, subject, from, i, find); err != nil {
		return answer, err
	}
	select {
	case <-i.done:
		return i.answer, i.err
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}

// Hint has find begin if a slot is free, and waits for nothing.
func (q *Inquiries[Subject, Asker, V]) Hint(ctx context.Context, subject Subject, from Asker, find func(context.Context) V) {
	if release, ok := q.slots.TryAcquire(from); ok {
		i := q.join(subject)
		q.run(ctx, subject, i, release, find)
		q.part(subject, i)
	}
}

// getUnderWay returns when i is under way: because this caller has a slot for
// it, or another one had.
func (q *Inquiries[Subject, Asker, V]) getUnderWay(ctx context.Context, subject Subject, from Asker, i *inquiry[V], find func(context.Context) V) error {
	if i.begun.Err() != nil {
		return nil
	}
	// Nearly always: what it takes to wait costs 5 µs.
	if release, ok := q.slots.TryAcquire(from); ok {
		q.run(ctx, subject, i, release, find)
		return nil
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(i.begun, cancel)()
	release, err := q.slots.Acquire(waiting, from)
	switch {
	case err == nil:
		q.run(ctx, subject, i, release, find)
	case i.begun.Err() != nil:
	case ctx.Err() == context.DeadlineExceeded:
		return &BusyError{fmt.Errorf("too many inquiries are under way: %v", ctx.Err())}
	default:
		return ctx.Err()
	}
	return nil
}

// run makes the inquiry in a goroutine, and gives back its slot then. If i is
// under way already it gives the slot back at once.
func (q *Inquiries[Subject, Asker, V]) run(ctx context.Context, subject Subject, i *inquiry[V], release func(), find func(context.Context) V) {
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
		i.answer, i.err = fault.Catch(func() (V, error) { return find(ctx), nil })
		q.mu.Lock()
		delete(q.of, subject)
		q.mu.Unlock()
		close(i.done)
	}()
}

func (q *Inquiries[Subject, Asker, V]) join(subject Subject) *inquiry[V] {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.of[subject]
	if i == nil {
		i = &inquiry[V]{done: make(chan struct{})}
		i.begun, i.begin = context.WithCancel(context.Background())
		q.of[subject] = i
	}
	i.callers++
	return i
}

// part forgets an inquiry that nobody waits for, unless it is under way.
func (q *Inquiries[Subject, Asker, V]) part(subject Subject, i *inquiry[V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i.callers--; i.callers == 0 && i.begun.Err() == nil {
		delete(q.of, subject)
	}
}
