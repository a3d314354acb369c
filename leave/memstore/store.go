// Package memstore keeps delegated leaves in the memory of one process, until it ends.
package memstore

import (
	"context"
	"maps"
	"slices"
	"sync"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Store is a [leave.Store] that never fails. It waits only for its lock. New makes one.
// With LIVEKIT_STORE=memory, all jobs are lost when the service restarts. Then nobody
// restarts the jobs' delayed events, so the homeserver sends each event when its delay
// has passed.
type Store struct {
	mu sync.Mutex
	// version is the highest version that any job has had. It is common to all keys, so
	// no key gets the same version twice.
	version uint64
	jobs    map[leave.Key]*entry
	rooms   map[sfu.Room]*room
	users   map[matrix.UserID]*user
	servers map[matrix.ServerName]*server
	states  map[leave.State]int // how many jobs are in each state
	due     queue[*entry]       // the jobs, in the order in which they can be claimed
	looked  queue[*room]        // the rooms; the room that ClaimRooms returned longest ago comes first
}

var _ leave.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		jobs:    map[leave.Key]*entry{},
		rooms:   map[sfu.Room]*room{},
		users:   map[matrix.UserID]*user{},
		servers: map[matrix.ServerName]*server{},
		states:  map[leave.State]int{},
	}
}

// Put stores a new delegation.
func (s *Store) Put(_ context.Context, job leave.Job) (*leave.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	job = toMillis(job)
	e := s.jobs[job.Key]
	if e == nil {
		s.write(job)
		return nil, nil
	}
	stored := e.job()
	switch {
	case job.Same(stored):
		return nil, nil
	case !job.After(stored):
		return nil, leave.ErrSuperseded
	}
	s.write(job.Replacing(stored))
	return &stored, nil
}

// Get returns the job of a key.
func (s *Store) Get(_ context.Context, key leave.Key) (leave.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.jobs[key]
	if e == nil {
		return leave.Job{}, leave.ErrNotFound
	}
	return e.job(), nil
}

// Save writes job if job.Version is the version of the stored job.
func (s *Store) Save(_ context.Context, job leave.Job) (leave.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.jobs[job.Key]; e == nil || e.version != job.Version {
		return leave.Job{}, leave.ErrConflict
	}
	return s.write(job), nil
}

// Delete removes job if job.Version is the version of the stored job.
func (s *Store) Delete(_ context.Context, job leave.Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.jobs[job.Key]
	if e == nil || e.version != job.Version {
		return leave.ErrConflict
	}
	s.drop(e)
	return nil
}

// Merge merges copies of jobs into the stored jobs. The copies were changed outside
// this store.
func (s *Store) Merge(_ context.Context, jobs []leave.Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, job := range jobs {
		job = toMillis(job)
		if e := s.jobs[job.Key]; e != nil {
			job = leave.Merged(e.job(), job)
		}
		s.write(job)
	}
	return nil
}

// Keys returns the keys of all jobs, in any order.
func (s *Store) Keys() []leave.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.jobs))
}

// Close does nothing.
func (s *Store) Close() error { return nil }
