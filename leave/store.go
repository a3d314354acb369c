package leave

import (
	"context"
	"errors"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// The errors of a [Store] that callers distinguish.
var (
	// ErrNotFound means that there is no job for the key.
	ErrNotFound = errors.New("no such job")
	// ErrConflict means that the job was written, leased or removed since the
	// caller read it.
	ErrConflict = errors.New("the job has changed meanwhile")
	// ErrSuperseded means that a later delegation of the same key is stored.
	ErrSuperseded = errors.New("a later delegation is stored")
	// ErrForgotten means that the store has lost jobs. For example, a Redis has
	// restarted without its file, or from an old file. The call did nothing. Every
	// call returns this error until Merge was called with the copies of jobs that
	// still exist.
	ErrForgotten = errors.New("the store has lost its jobs")
	// ErrAway wraps another error of this list if the store does not answer. The
	// wrapped error is then based only on the memory of this process.
	ErrAway = errors.New("the store does not answer")
)

// Store keeps the jobs. Several processes may share one Store. Every method is
// atomic. The tests of package leavetest check this contract.
//
// A job's version grows with every write. Save, Delete and Claim change a job only
// if its version is still the stored one (compare-and-swap). No version of a key is
// used twice, even after a job has ended and another was put. So a stale copy
// cannot overwrite a newer job.
//
// Times are kept in milliseconds. Callers give and get times by their own clock,
// which does not jump. A store that is shared, or that outlives the process,
// translates the times between the clocks. If a write returns an error that is not
// listed above, the write may have happened, or may happen later.
type Store interface {
	Jobs
	Queue
	Index
	// Close releases the store. It ends no lease: each lease ends when its time is
	// over.
	Close() error
}

// Jobs is the part of a [Store] that reads and writes the job of a key.
type Jobs interface {
	// Put stores a new delegation. If an earlier delegation of the same key is
	// stored, Put replaces it by [Job.Replacing] and returns it. So the earlier
	// delegation is cancelled whatever happens to the caller. Put returns
	// ErrSuperseded if a later delegation is stored. It changes nothing if the same
	// delegation is stored. [Job.After] says which delegation is later.
	Put(ctx context.Context, job Job) (replaced *Job, err error)
	// Get returns the job of a key, or ErrNotFound.
	Get(ctx context.Context, key Key) (Job, error)
	// Save writes job if its Version is the stored version, and returns job with
	// its new version. If the stored version is another, or the job was removed,
	// Save returns ErrConflict.
	Save(ctx context.Context, job Job) (Job, error)
	// Delete removes the job if its Version is the stored version. Otherwise Delete
	// returns ErrConflict.
	Delete(ctx context.Context, job Job) error
}

// Queue is the part of a [Store] that hands out work. Claim and Save order jobs
// by [Job.Due]. A leased job is not due before its lease ends.
type Queue interface {
	// Claim leases up to n jobs that are due at now to holder, each for its
	// [Job.LeaseTime]. It returns the jobs in the order in which they became due.
	Claim(ctx context.Context, holder string, now time.Time, n int) ([]Job, error)
	// ClaimRooms returns up to n rooms with jobs. Within the time every, all calls
	// together return a room at most once. A room that has just got its first job
	// counts as never returned.
	ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error)
}

// Index is the part of a [Store] for questions about many jobs.
type Index interface {
	// Room returns the jobs of a room. Rooms returns the rooms that a job
	// occupies ([Job.Occupies]).
	Room(ctx context.Context, room sfu.Room) ([]Job, error)
	Rooms(ctx context.Context) ([]sfu.Room, error)
	// Count returns how many jobs there are, and how many restarts a second the
	// jobs of the user's homeserver need. The numbers are exact after every write.
	Count(ctx context.Context, user matrix.UserID) (Counts, error)
}
