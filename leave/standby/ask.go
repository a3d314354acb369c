package standby

import (
	"context"
	"errors"
	"time"

	"matrixrtc-auth/leave"
)

// away reports whether err shows that the store cannot work at all. It reports false
// for errors like ErrConflict, which concern only one call.
func away(err error) bool {
	return err != nil && !errors.Is(err, leave.ErrNotFound) && !errors.Is(err, leave.ErrConflict) && !errors.Is(err, leave.ErrSuperseded)
}

type result[T any] struct {
	value T
	err   error
}

// within calls the function do and returns its result. If do takes longer than limit,
// or longer than ctx allows, within returns an error, and do goes on in its goroutine.
// So within returns in time even if do ignores its context, as with a sleeping disk.
func within[T any](ctx context.Context, limit time.Duration, do func(context.Context) (T, error)) (T, error) {
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	done := make(chan result[T], 1)
	go func() {
		defer cancel()
		value, err := do(ctx)
		done <- result[T]{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done: // do has ended at the same moment as ctx
		return r.value, r.err
	default:
		var none T
		return none, ctx.Err()
	}
}

// errorOf makes a function for [within] from a function do that returns only an error.
func errorOf(do func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) }
}

// do calls ask(), which asks the store. If ask succeeds, do passes the result to learn.
// If there is an outage, or ask fails because the store is away, do calls alone(),
// which answers from memory.
func do[T any](ctx context.Context, s *Store, ask func(context.Context) (T, error), alone func(*outage) (T, error), learn func(T)) (T, error) {
	if value, err, out := during(s, alone); out {
		return value, err
	}
	value, err := within(ctx, answerTime, ask)
	if away(err) {
		return without(s, err, alone)
	}
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		learn(value)
	}
	return value, err
}

// during calls alone() if there is an outage. out reports whether there is one.
func during[T any](s *Store, alone func(*outage) (T, error)) (value T, err error, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return value, nil, false
	}
	value, err = alone(s.outage)
	return value, err, true
}

// without begins an outage, because the store has failed with the error cause. If there
// already is an outage, it only records cause. In both cases, it then calls alone(),
// which answers from memory.
func without[T any](s *Store, cause error, alone func(*outage) (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		s.begin(cause)
	} else {
		s.outage.noteCause(cause)
	}
	return alone(s.outage)
}
