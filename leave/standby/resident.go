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
	// Memory returns the store in memory, which has all jobs. It can answer every
	// call. Only writes need the disk.
	Memory() *memstore.Store
	// Commit returns when the current state of the jobs with these keys is on the
	// disk. Without keys, it returns when the disk has accepted an empty write.
	Commit(ctx context.Context, keys ...leave.Key) error
}

// residing is the mode of a Store if the store behind it is a [Resident]. It needs
// no copies: the memory of that store answers at once. Writes reach the disk now or
// after the outage.
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

// ClaimRooms returns up to n rooms. Within the time every, all calls together
// return a room at most once. In an outage that time is at most 5 s.
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

// written returns when the jobs with these keys are on the disk. In an outage it
// returns at once. If the disk takes longer than a second, it returns after that
// second. In both cases the Store writes the jobs after the outage.
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
// outage. If there is no outage, it begins one with the error cause. It only
// returns false if there is no outage and cause is nil.
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

// interval returns how much time must pass until ClaimRooms may return a room
// again. That is every, the time that the caller wants. In an outage it is at most
// s.looks.
func (s *Store) interval(every time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return every
	}
	return min(every, s.looks)
}

// accept counts a new delegation in an outage. It returns an error if there are too
// many new delegations.
func (s *Store) accept(key leave.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return nil
	}
	return s.outage.accept(key)
}
