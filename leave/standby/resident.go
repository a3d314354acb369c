package standby

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/sfu"
)

// Resident is a store that has all its jobs in memory, and also on a disk, which can
// fail.
type Resident interface {
	Behind
	// Memory returns the store in memory, which has all jobs. It can answer each call.
	// Only writes also need the disk.
	Memory() *memstore.Store
	// Commit waits until the jobs with these keys are on the disk as they are now.
	// Without keys, it waits until the disk has accepted an empty write.
	Commit(ctx context.Context, keys ...leave.Key) error
}

// residing is the mode of a Store for a [Resident], a store that has all its jobs in
// memory. In this mode, the Store keeps no copies of jobs, because the Resident's memory
// answers immediately even if the disk fails. While the disk works, it gets writes
// immediately. While it fails, it gets them after the outage.
type residing struct {
	*memstore.Store
	s    *Store
	disk Resident
}

// Put stores a new delegation. In an outage, it accepts at most mostAccepted new jobs.
// If there are more, it returns a *[leave.LimitError].
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

// Save writes job if the stored job has the same version.
func (r residing) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	saved, err := r.Store.Save(ctx, job)
	if err == nil {
		r.written(ctx, job.Key)
	}
	return saved, err
}

// Delete removes job if the stored job has the same version.
func (r residing) Delete(ctx context.Context, job leave.Job) error {
	err := r.Store.Delete(ctx, job)
	if err == nil {
		r.written(ctx, job.Key)
	}
	return err
}

// Merge merges the given copies of jobs into the stored jobs.
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

// ClaimRooms returns up to n rooms. The argument every is a period. In each such
// period, all calls together return the same room at most once. In an outage, the
// period is at most 5 s.
func (r residing) ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error) {
	return r.Store.ClaimRooms(ctx, now, r.s.interval(every), n)
}

// Close closes the [Resident].
func (r residing) Close() error { return r.disk.Close() }

func (r residing) probe(ctx context.Context) error { return r.disk.Commit(ctx) }

func (r residing) deliver(ctx context.Context, w work) error {
	if len(w.changed) == 0 {
		return nil
	}
	_, err := ask(ctx, errorOf(func(ctx context.Context) error { return r.disk.Commit(ctx, w.changed...) }))
	return err
}

// written waits until the jobs with these keys are on the disk. In an outage, it does
// not wait. If the disk takes longer than a second, written stops waiting, and an
// outage begins. In both cases, the Store writes the jobs to the disk after the outage.
func (r residing) written(ctx context.Context, keys ...leave.Key) {
	if r.s.postponed(keys, nil) {
		return
	}
	_, err := within(ctx, answerTime, errorOf(func(ctx context.Context) error { return r.disk.Commit(ctx, keys...) }))
	if err != nil {
		r.s.postponed(keys, err)
	}
}

// postponed records that the Store must write the jobs with these keys after the
// outage, and returns true. If there is no outage and cause is not nil, it first begins
// an outage with the error cause. If there is no outage and cause is nil, it does
// nothing and returns false.
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

// interval returns how much time must pass before ClaimRooms may return a room again.
// Usually this is the time every, which the caller has passed. In an outage, it is at
// most s.looks (5 s).
func (s *Store) interval(every time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return every
	}
	return min(every, s.looks)
}

// accept counts a new delegation if there is an outage: the store behind s does not
// answer. It returns an error if memory has already accepted mostAccepted new
// delegations in this outage.
func (s *Store) accept(key leave.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return nil
	}
	return s.outage.accept(key)
}
