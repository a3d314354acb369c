package keeper_test

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/matrix"
)

// oddStore is a store in which a test can make single calls fail or take long.
type oddStore struct {
	*memstore.Store
	// before, if set, is a function that the store calls at the start of each call, with
	// the call's name. If this function returns an error, the call returns the same
	// error and does nothing else.
	before func(ctx context.Context, call string) error
	// after, if set, is a function that the store calls at the end of each Put, with the
	// Put's error. The Put returns the function's result.
	after func(error) error
}

func (s *oddStore) on(ctx context.Context, call string) error {
	if s.before == nil {
		return nil
	}
	return s.before(ctx, call)
}

func (s *oddStore) Get(ctx context.Context, key leave.Key) (leave.Job, error) {
	if err := s.on(ctx, "Get"); err != nil {
		return leave.Job{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *oddStore) Count(ctx context.Context, user matrix.UserID) (leave.Counts, error) {
	if err := s.on(ctx, "Count"); err != nil {
		return leave.Counts{}, err
	}
	return s.Store.Count(ctx, user)
}

func (s *oddStore) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	if err := s.on(ctx, "Claim"); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, holder, now, n)
}

func (s *oddStore) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	if err := s.on(ctx, "Save"); err != nil {
		return leave.Job{}, err
	}
	return s.Store.Save(ctx, job)
}

func (s *oddStore) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	if err := s.on(ctx, "Put"); err != nil {
		return nil, err
	}
	replaced, err := s.Store.Put(ctx, job)
	if s.after != nil {
		err = s.after(err)
	}
	return replaced, err
}

// taking returns a function for the field before of an oddStore. With it, each call
// takes the time d, or less if its context ends sooner.
func taking(d time.Duration) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
}
