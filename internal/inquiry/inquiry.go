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
// Where it waits for what its own asker has too much of ([Hold]), other askers
// make another one.
type Inquiries[Subject, Asker comparable, V any] struct {
	// callers bounds those who wait, slots what is under way; both count by the
	// asker: a client network, a homeserver.
	callers, slots *semaphore.Keyed[Asker]
	timeout        time.Duration // of one inquiry that is under way

	mu sync.Mutex
	of map[Subject]*inquiry[Asker, V]
}

// inquiry is one question about one subject.
type inquiry[Asker comparable, V any] struct {
	callers int             // who wait for it
	begun   context.Context // ends when it gets under way
	begin   context.CancelFunc
	from    Asker           // whose slot it has, once it is under way
	held    context.Context // ends when it waits for others of that asker
	hold    context.CancelFunc
	done    chan struct{} // closed when the answer is there
	answer  V
	err     error // find panicked
}

type holdKey struct{}

// Hold says that the inquiry to which ctx belongs, if any, waits for something of
// which its asker has too much, or will fail for want of that.
func Hold(ctx context.Context) {
	if hold, ok := ctx.Value(holdKey{}).(context.CancelFunc); ok {
		hold()
	}
}

// isHeldFor reports whether i waits for others of an asker that from is not.
func (i *inquiry[Asker, V]) isHeldFor(from Asker) bool {
	return i.held.Err() != nil && i.from != from
}

// New returns Inquiries that take at most timeout each. Zero bounds are none.
func New[Subject, Asker comparable, V any](callers, slots semaphore.Bounds, timeout time.Duration) *Inquiries[Subject, Asker, V] {
	return &Inquiries[Subject, Asker, V]{
		callers: semaphore.New[Asker](callers),
		slots:   semaphore.New[Asker](slots),
		timeout: timeout,
		of:      make(map[Subject]*inquiry[Asker, V]),
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
	for {
		i, err := q.await(ctx, subject, from, find)
		if err != nil {
			return answer, err
		}
		if !i.isHeldFor(from) {
			return i.answer, i.err
		}
	}
}

// await returns an inquiry about subject that is done, or that from need not wait
// for.
func (q *Inquiries[Subject, Asker, V]) await(ctx context.Context, subject Subject, from Asker, find func(context.Context) V) (*inquiry[Asker, V], error) {
	i := q.join(subject, from)
	defer q.part(subject, i)
	if err := q.getUnderWay(ctx, subject, from, i, find); err != nil {
		return nil, err
	}
	held := i.held.Done()
	if i.from == from {
		held = nil
	}
	select {
	case <-i.done:
		return i, nil
	case <-held:
		return i, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Hint has find begin if a slot is free, and waits for nothing.
func (q *Inquiries[Subject, Asker, V]) Hint(ctx context.Context, subject Subject, from Asker, find func(context.Context) V) {
	if release, ok := q.slots.TryAcquire(from); ok {
		i := q.join(subject, from)
		q.run(ctx, subject, from, i, release, find)
		q.part(subject, i)
	}
}

// getUnderWay returns when i is under way: because this caller has a slot for
// it, or another one had.
func (q *Inquiries[Subject, Asker, V]) getUnderWay(ctx context.Context, subject Subject, from Asker, i *inquiry[Asker, V], find func(context.Context) V) error {
	if i.begun.Err() != nil {
		return nil
	}
	// Nearly always: what it takes to wait costs 5 µs.
	if release, ok := q.slots.TryAcquire(from); ok {
		q.run(ctx, subject, from, i, release, find)
		return nil
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(i.begun, cancel)()
	release, err := q.slots.Acquire(waiting, from)
	switch {
	case err == nil:
		q.run(ctx, subject, from, i, release, find)
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
func (q *Inquiries[Subject, Asker, V]) run(ctx context.Context, subject Subject, from Asker, i *inquiry[Asker, V], release func(), find func(context.Context) V) {
	q.mu.Lock()
	begun := i.begun.Err() != nil
	if !begun {
		i.from = from
	}
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
		ctx = context.WithValue(ctx, holdKey{}, i.hold)
		i.answer, i.err = fault.Catch(func() (V, error) { return find(ctx), nil })
		q.mu.Lock()
		q.forget(subject, i)
		q.mu.Unlock()
		close(i.done)
	}()
}

// join returns the inquiry about subject that from waits for, a new one if need be.
func (q *Inquiries[Subject, Asker, V]) join(subject Subject, from Asker) *inquiry[Asker, V] {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.of[subject]
	if i == nil || i.isHeldFor(from) {
		i = &inquiry[Asker, V]{done: make(chan struct{})}
		i.begun, i.begin = context.WithCancel(context.Background())
		i.held, i.hold = context.WithCancel(context.Background())
		q.of[subject] = i
	}
	i.callers++
	return i
}

// part forgets an inquiry that nobody waits for, unless it is under way.
func (q *Inquiries[Subject, Asker, V]) part(subject Subject, i *inquiry[Asker, V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i.callers--; i.callers == 0 && i.begun.Err() == nil {
		q.forget(subject, i)
	}
}

// forget has nobody join i any more. The lock is held.
func (q *Inquiries[Subject, Asker, V]) forget(subject Subject, i *inquiry[Asker, V]) {
	if q.of[subject] == i {
		delete(q.of, subject)
	}
}
