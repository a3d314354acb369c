// Package inquiry lets callers that want the same answer at the same time share one
// inquiry. It bounds how many inquiries run at the same time, in all and for each
// asker.
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

// Inquiries gets answers of type V about subjects. Each call of [Inquiries.Ask] is
// for an asker: a client network, or a homeserver. Callers that ask about the same
// subject share one inquiry. Each caller waits for a permit of its asker. The
// inquiry starts as soon as one of its callers has a permit.
//
// If all callers leave before the inquiry starts, it does not start. An inquiry
// that runs goes on even without callers, because later callers will want its
// answer. The inquiry belongs to the asker whose permit it uses. If this asker has
// reached a limit, the inquiry has to wait or will fail ([Hold]). Then other askers
// no longer wait for it, but start a new inquiry.
type Inquiries[Subject, Asker comparable, V any] struct {
	// callers bounds how many callers wait. permits bounds how many inquiries run.
	// The key in both is the asker: a client network, or a homeserver.
	callers, permits *semaphore.Keyed[Asker]
	timeout          time.Duration // the most that one running inquiry may take

	mu sync.Mutex
	of map[Subject]*inquiry[Asker, V]
}

// inquiry is one question about one subject, with its answer.
type inquiry[Asker comparable, V any] struct {
	callers int             // how many callers wait for the answer
	begun   context.Context // a context that ends when the inquiry calls find, the function that gets the answer
	begin   context.CancelFunc
	from    Asker           // the asker whose permit (see Inquiries.permits) the inquiry uses
	held    context.Context // a context that ends when [Hold] is called for this inquiry
	hold    context.CancelFunc
	done    chan struct{} // closed when there is an answer
	answer  V
	err     error // not nil if find has panicked
}

type holdKey struct{}

// Hold says that an inquiry has to wait or will fail, because the asker whose
// permit it uses has reached a limit. Other askers then stop waiting for this
// inquiry. ctx is the context with which the inquiry called find. With any other
// ctx, Hold does nothing.
func Hold(ctx context.Context) {
	if hold, ok := ctx.Value(holdKey{}).(context.CancelFunc); ok {
		hold()
	}
}

// isHeldFor reports whether a caller from the given asker must stop waiting for i.
// That is so if [Hold] was called for i, and i uses the permit of a different asker.
func (i *inquiry[Asker, V]) isHeldFor(from Asker) bool {
	return i.held.Err() != nil && i.from != from
}

// New returns Inquiries. The first parameter bounds how many callers wait, and the
// second parameter bounds how many inquiries run. A bound of zero means no bound.
// Each inquiry takes at most timeout.
func New[Subject, Asker comparable, V any](callers, permits semaphore.Bounds, timeout time.Duration) *Inquiries[Subject, Asker, V] {
	return &Inquiries[Subject, Asker, V]{
		callers: semaphore.New[Asker](callers),
		permits: semaphore.New[Asker](permits),
		timeout: timeout,
		of:      make(map[Subject]*inquiry[Asker, V]),
	}
}

// BusyError says that too many callers wait, or that no permit was free in
// time.
type BusyError struct{ Err error }

func (e *BusyError) Error() string { return e.Err.Error() }
func (e *BusyError) Unwrap() error { return e.Err }

var errCallers = errors.New("too many requests wait for an answer")

// Ask returns the answer about subject. The parameter from is the asker for whom Ask
// is called. The answer is the result of the function find. If an inquiry about subject
// is already in progress, Ask does not call find, and waits for the answer of that
// inquiry. Ask waits at most until ctx ends. Errors are *[BusyError], the error of ctx,
// or a *[fault.Error] if find panicked.
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

// await joins an inquiry about subject and waits until the inquiry has ended. The
// argument from is the asker. If the inquiry uses a different asker's permit, await
// also returns when [Hold] is called for the inquiry.
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

// Hint starts an inquiry if a permit is free. It does not wait for the permit
// or the answer.
func (q *Inquiries[Subject, Asker, V]) Hint(ctx context.Context, subject Subject, from Asker, find func(context.Context) V) {
	if release, ok := q.permits.TryAcquire(from); ok {
		i := q.join(subject, from)
		q.run(ctx, subject, from, i, release, find)
		q.part(subject, i)
	}
}

// getUnderWay waits until the inquiry i runs. Either this caller gets the permit that i
// needs, or another caller who waits for i gets it.
func (q *Inquiries[Subject, Asker, V]) getUnderWay(ctx context.Context, subject Subject, from Asker, i *inquiry[Asker, V], find func(context.Context) V) error {
	if i.begun.Err() != nil {
		return nil
	}
	// The code tries TryAcquire first, because a permit is usually free, and Acquire
	// takes 5 µs longer.
	if release, ok := q.permits.TryAcquire(from); ok {
		q.run(ctx, subject, from, i, release, find)
		return nil
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(i.begun, cancel)()
	release, err := q.permits.Acquire(waiting, from)
	switch {
	case err == nil:
		q.run(ctx, subject, from, i, release, find)
	case i.begun.Err() != nil:
	case ctx.Err() == context.DeadlineExceeded:
		return &BusyError{fmt.Errorf("too many look-ups are in progress: %v", ctx.Err())}
	default:
		return ctx.Err()
	}
	return nil
}

// run runs the inquiry i in a goroutine, which gives the permit back when i ends.
// If i already runs, run gives the permit back immediately.
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

// join returns the inquiry about subject. It makes a new one if there is none, or
// if the inquiry must wait because of another asker ([Hold]).
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

// This method records that a caller no longer waits for i. If i has no other
// caller and does not run, this method removes i.
func (q *Inquiries[Subject, Asker, V]) part(subject Subject, i *inquiry[Asker, V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i.callers--; i.callers == 0 && i.begun.Err() == nil {
		q.forget(subject, i)
	}
}

// forget makes later callers start a new inquiry instead of joining i. The
// caller holds the lock.
func (q *Inquiries[Subject, Asker, V]) forget(subject Subject, i *inquiry[Asker, V]) {
	if q.of[subject] == i {
		delete(q.of, subject)
	}
}
