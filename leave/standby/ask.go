package standby

import (
	"context"
	"errors"
	"time"

	"matrixrtc-auth/leave"
)

// away reports whether err says that the store cannot do its work, rather than
// what came of it.
func away(err error) bool {
	return err != nil && !errors.Is(err, leave.ErrNotFound) && !errors.Is(err, leave.ErrConflict) && !errors.Is(err, leave.ErrSuperseded)
}

type result[T any] struct {
	value T
	err   error
}

// within returns what do returns, or an error when that takes longer than
// limit, or than ctx has time: a disk that sleeps knows no context. What has
// begun goes on, and so it does when the caller gives up.
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
	case r := <-done: // at the same time
		return r.value, r.err
	default:
		var none T
		return none, ctx.Err()
	}
}

// errorOf has do return nothing beside its error.
func errorOf(do func(context.Context) error) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, do(ctx) }
}

// do has the store do something, or in an outage memory; learn is told what
// the store has done.
func do[T any](ctx context.Context, s *Store, ask func(context.Context) (T, error), alone func(*outage) (T, error), learn func(T)) (T, error) {
	if value, err, out := during(s, alone); out {
		return value, err
	}
	value, err := within(ctx, patience, ask)
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

// during has memory do something if there is an outage.
func during[T any](s *Store, alone func(*outage) (T, error)) (value T, err error, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return value, nil, false
	}
	value, err = alone(s.outage)
	return value, err, true
}

// without has memory do something that the store did not, because of cause.
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
