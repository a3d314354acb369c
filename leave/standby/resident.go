package standby

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/sfu"
)

// Resident is a store that has all its jobs in memory, and besides on a disk
// that may not answer.
type Resident interface {
	Behind
	// Memory is where its jobs are: it answers every question, and only a write
	// has to do with the disk.
	Memory() *memstore.Store
	// Commit returns when the disk knows what has become of the jobs of keys;
	// without keys, when it has taken anything at all.
	Commit(ctx context.Context, keys ...leave.Key) error
}

// residing answers the calls of a resident store. There is nothing to copy: its
// own memory does everything at once, in an outage or not, and the disk is told
// of it now or later.
type residing struct {
	*memstore.Store
	s    *Store
	disk Resident
}

// Put stores a job just delegated. In an outage only so many are accepted; the
// error is then a *[leave.LimitError].
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

// Save writes a job whose version is the stored one.
func (r residing) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	saved, err := r.Store.Save(ctx, job)
	if err == nil {
		r.written(ctx, job.Key)
	}
	return saved, err
}

// Delete ends a job whose version is the stored one.
func (r residing) Delete(ctx context.Context, job leave.Job) error {
	err := r.Store.Delete(ctx, job)
	if err == nil {
		r.written(ctx, job.Key)
	}
	return err
}

// Merge brings in copies.
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

// ClaimRooms returns up to n rooms that were not returned within the last
// every. In an outage each is due after 5 s.
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

// written has the disk know what has become of the jobs of keys, within a
// second or after the outage.
func (r residing) written(ctx context.Context, keys ...leave.Key) {
	if r.s.postponed(keys, nil) {
		return
	}
	_, err := within(ctx, patience, errorOf(func(ctx context.Context) error { return r.disk.Commit(ctx, keys...) }))
	if err != nil {
		r.s.postponed(keys, err)
	}
}

// postponed notes for after the outage what has become of the jobs of keys. If
// there is none it reports so, unless the cause of one is given.
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

// interval is how long nobody has to look into a room again.
func (s *Store) interval(every time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return every
	}
	return min(every, s.looks)
}

// accept counts a delegation that is new in an outage, or refuses it.
func (s *Store) accept(key leave.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return nil
	}
	return s.outage.accept(key)
}
