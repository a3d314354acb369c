package leave

import (
	"context"
	"errors"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// These are the errors of a [Store] that callers distinguish.
var (
	// ErrNotFound means that the store has no job for the key.
	ErrNotFound = errors.New("no such job")
	// ErrConflict means that the job was written, leased or removed after the caller had
	// read it.
	ErrConflict = errors.New("the job has changed meanwhile")
	// ErrSuperseded means that the store has a later delegation of the same key.
	ErrSuperseded = errors.New("a later delegation is stored")
	// ErrForgotten means that the store has lost jobs. For example, its Redis server has
	// restarted without its data file, or with an old one. The call has done nothing.
	// Every call returns this error until Merge was called with the copies of jobs that
	// still exist.
	ErrForgotten = errors.New("the store has lost its jobs")
	// ErrAway means that the store does not answer. An error can be both ErrAway
	// and another error of this list. The other error is then about the jobs in the
	// memory of this process, and not about the jobs in the store.
	ErrAway = errors.New("the store does not answer")
)

// Store keeps the jobs. Several processes may share one Store. Every method is atomic.
// The tests of package leavetest check these rules.
//
// Every write increases a job's version. Save, Delete and Claim change a job only if
// the store still has the version that the caller has (compare-and-swap). No version of
// a key is used twice, even if a job has ended and another one was put. So a stale copy
// cannot overwrite a newer job.
//
// A store keeps times in milliseconds. Callers give and get times by their own clock,
// which does not jump. A store that several processes share, or that outlives a
// process, translates the times between the clocks.
//
// If a write returns an error that is not in the list of errors that callers
// distinguish (ErrNotFound and the following), it is unknown whether the write has
// happened or will happen later.
type Store interface {
	Jobs
	Queue
	Index
	// Close releases the store's resources. It does not end the leases: each lease ends
	// when its time is over.
	Close() error
}

// Jobs is the part of a [Store] that reads and writes the job of one key.
type Jobs interface {
	// Put stores a new delegation. If the store already has a delegation of the same
	// key, [Job.After] says which of the two is later:
	//
	//   - If the store has an earlier delegation, Put replaces it, and returns it. The new
	//     job records the earlier delegation ([Job.Replacing]). So the earlier delegation
	//     will be cancelled even if the caller fails.
	//   - If the store has a later delegation, Put returns ErrSuperseded.
	//   - If the store has this same delegation, Put changes nothing.
	Put(ctx context.Context, job Job) (replaced *Job, err error)
	// Get returns the job of a key. If there is no such job, Get returns ErrNotFound.
	Get(ctx context.Context, key Key) (Job, error)
	// Save writes job if the store has the version job.Version, and returns job with its
	// new version. If the store has another version, or no longer has the job, Save
	// returns ErrConflict.
	Save(ctx context.Context, job Job) (Job, error)
	// Delete removes the job if the store has the version job.Version. Otherwise it
	// returns ErrConflict.
	Delete(ctx context.Context, job Job) error
}

// Queue is the part of a [Store] that gives jobs to keepers. It orders the jobs by
// [Job.Due]. A leased job is not due before its lease ends.
type Queue interface {
	// Claim gives holder a lease on each of up to n jobs that are due at the time now.
	// The lease lasts the job's [Job.LeaseTime]. Claim returns these jobs in the order
	// of their due times.
	Claim(ctx context.Context, holder string, now time.Time, n int) ([]Job, error)
	// ClaimRooms returns up to n rooms that have jobs. The argument every is a period.
	// In each such period, all calls together return the same room at most once. If a
	// room has just got its first job, it counts as never returned.
	ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error)
}

// Index is the part of a [Store] for questions about many jobs.
type Index interface {
	// Room returns the jobs of a room. Rooms returns the rooms that at least one job
	// occupies ([Job.Occupies]).
	Room(ctx context.Context, room sfu.Room) ([]Job, error)
	Rooms(ctx context.Context) ([]sfu.Room, error)
	// Count returns how many jobs the store has, and how many restarts per second the
	// jobs of the user's homeserver need. The numbers include every write that has ended.
	Count(ctx context.Context, user matrix.UserID) (Counts, error)
}
