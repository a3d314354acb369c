package keeper_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// forgetful is a store that can lose its jobs, as a Redis does that starts again empty
// or from an old file. After a loss, every call returns ErrForgotten until Merge is
// called.
type forgetful struct {
	store *memstore.Store
	lost  atomic.Bool
}

// loseAll makes the store lose its present jobs and hold the given jobs instead, as if
// it had started again from an old file.
func (f *forgetful) loseAll(t *testing.T, jobs []leave.Job) {
	t.Helper()
	f.lost.Store(true)
	for _, key := range f.store.Keys() {
		err := leave.ErrConflict
		for errors.Is(err, leave.ErrConflict) { // the keeper may be writing the job at this moment
			var job leave.Job
			if job, err = f.store.Get(t.Context(), key); err == nil {
				err = f.store.Delete(t.Context(), job)
			}
		}
		if err != nil && !errors.Is(err, leave.ErrNotFound) {
			t.Errorf("Delete of %v: got %v, want no error or %v", key, err, leave.ErrNotFound)
		}
	}
	if err := f.store.Merge(t.Context(), jobs); err != nil {
		t.Errorf("Merge: got %v, want no error", err)
	}
}

func (f *forgetful) err() error {
	if f.lost.Load() {
		return leave.ErrForgotten
	}
	return nil
}

func (f *forgetful) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.store.Put(ctx, job)
}

func (f *forgetful) Get(ctx context.Context, key leave.Key) (leave.Job, error) {
	if err := f.err(); err != nil {
		return leave.Job{}, err
	}
	return f.store.Get(ctx, key)
}

func (f *forgetful) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	if err := f.err(); err != nil {
		return leave.Job{}, err
	}
	return f.store.Save(ctx, job)
}

func (f *forgetful) Delete(ctx context.Context, job leave.Job) error {
	if err := f.err(); err != nil {
		return err
	}
	return f.store.Delete(ctx, job)
}

func (f *forgetful) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.store.Claim(ctx, holder, now, n)
}

func (f *forgetful) ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.store.ClaimRooms(ctx, now, every, n)
}

func (f *forgetful) Room(ctx context.Context, room sfu.Room) ([]leave.Job, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.store.Room(ctx, room)
}

func (f *forgetful) Rooms(ctx context.Context) ([]sfu.Room, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.store.Rooms(ctx)
}

func (f *forgetful) Count(ctx context.Context, user matrix.UserID) (leave.Counts, error) {
	if err := f.err(); err != nil {
		return leave.Counts{}, err
	}
	return f.store.Count(ctx, user)
}

func (f *forgetful) Merge(ctx context.Context, jobs []leave.Job) error {
	f.lost.Store(false)
	return f.store.Merge(ctx, jobs)
}

func (f *forgetful) Close() error { return nil }
