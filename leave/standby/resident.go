package standby

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/sfu"
)

// Resident is a store that has all its jobs in memory, and also on a disk that
// may not answer.
type Resident interface {
	Behind
	// Memory returns the store in memory with all jobs. It can answer every call;
	// only writes need the disk.
	Memory() *memstore.Store
	// Commit returns when the current state of the jobs with these keys is on the
	// disk. Without keys, it returns when the disk has accepted an empty write.
	Commit(ctx context.Context, keys ...leave.Key) error
}

// residing is the mode for a resident store. It needs no copies: the store's memory
// answers at once, and writes reach the disk now or after the outage.
type residing struct {
	*memstore.Store
	s    *Store
	disk Resident
}

// Put stores a new delegation. In an outage it accepts up to mostAccepted new jobs,
// and returns a *[leave.LimitError] for more.
func (r residing) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	if err := r.s.accept(job.Key); err != nil {
		return nil, err
	}
	replaced, err := r.Store.Put(ctx, job)
	if err == nil {
		r.written(ctx, job.Key)
	}
	return replaced, err
}

// Save writes a job if its version is the stored one.
func (r residing) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	saved, err := r.Store.Save(ctx, job)
	if err == nil {
		r.written(ctx, job.Key)
	}
	return saved, err
}

// Delete removes a job if its version is the stored one.
func (r residing) Delete(ctx context.Context, job leave.Job) error {
	err := r.Store.Delete(ctx, job)
	if err == nil {
		r.written(ctx, job.Key)
	}
	return err
}

// Merge merges copies into the stored jobs.
func (r residing) Merge(ctx context.Context, jobs []leave.Job) error {
	err := r.Store.Merge(ctx, jobs)
	if err == nil && len(jobs) > 0 {
		r.written(ctx, keys(jobs)...)
	}
	return err
}

func keys(jobs []leave.Job) (keys []leave.Key) {
	for _, job := range jobs {
		keys = append(keys, job.Key)
	}
	return keys
}

// ClaimRooms returns up to n rooms. A room that was returned less than every ago is
// left out. In an outage each room is returned at least every 5 s.
func (r residing) ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error) {
	return r.Store.ClaimRooms(ctx, now, r.s.interval(every), n)
}

// Close closes the store.
func (r residing) Close() error { return r.disk.Close() }

func (r residing) probe(ctx context.Context) error { return r.disk.Commit(ctx) }

func (r residing) deliver(ctx context.Context, w work) error {
	if len(w.changed) == 0 {
		return nil
	}
	_, err := ask(ctx, errorOf(func(ctx context.Context) error { return r.disk.Commit(ctx, w.changed...) }))
	return err
}

// written returns when the jobs with these keys are on the disk. In an outage, or
// if the disk takes longer than a second, it returns at once, and they are written
// after the outage.
func (r residing) written(ctx context.Context, keys ...leave.Key) {
	if r.s.postponed(keys, nil) {
		return
	}
	_, err := within(ctx, answerTime, errorOf(func(ctx context.Context) error { return r.disk.Commit(ctx, keys...) }))
	if err != nil {
		r.s.postponed(keys, err)
	}
}

// postponed records that the jobs with these keys must be written after the
// outage. If there is no outage, it begins one with the error cause; but if cause
// is nil, it records nothing and returns false.
func (s *Store) postponed(keys []leave.Key, cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.outage == nil && cause == nil:
		return false
	case s.outage == nil:
		s.begin(cause)
	case cause != nil:
		s.outage.noteCause(cause)
	}
	for _, key := range keys {
		s.outage.changed[key] = struct{}{}
		if _, err := s.memory.Get(always(), key); err != nil {
			delete(s.outage.accepted, key)
		}
	}
	return true
}

// interval returns the time between two looks into a room. It is every, the time
// that the caller wants, but in an outage at most s.looks.
func (s *Store) interval(every time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return every
	}
	return min(every, s.looks)
}

// accept counts a new delegation in an outage. It returns an error if there are too
// many.
func (s *Store) accept(key leave.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return nil
	}
	return s.outage.accept(key)
}
