package leave

import (
	"context"
	"errors"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// The errors of a [Store] that callers tell apart.
var (
	// ErrNotFound: there is no job for the key.
	ErrNotFound = errors.New("no such job")
	// ErrConflict: the job was written, lent or removed since it was read.
	ErrConflict = errors.New("the job has changed meanwhile")
	// ErrSuperseded: a job that was delegated later stands in its place.
	ErrSuperseded = errors.New("a later delegation is stored")
	// ErrForgotten: the store has lost jobs, as Redis does that restarts
	// without its file or from an old one. Nothing was done. Every call
	// returns it until Merge has been called, with the copies there are.
	ErrForgotten = errors.New("the store has lost its jobs")
	// ErrAway comes with another error that rests on the memory of this
	// process alone, because the store does not answer.
	ErrAway = errors.New("the store does not answer")
)

// Store keeps the jobs. Several processes may use one; every method is atomic.
// The suite in leavetest is its contract in code.
//
// A job's version grows with every write; Save, Delete and Claim are
// compare-and-swap on it. No version of a key comes twice, not even when its
// job has ended and another was put: a stale copy must not overwrite a newer
// job. Times are kept to the millisecond, and are by the callers' clock, which
// does not jump: a store that others share, or that outlives the process,
// translates. A write that returns another error than those above may have
// happened, or happen yet.
type Store interface {
	Jobs
	Queue
	Index
	// Close gives back what the store holds. Leases run out by themselves.
	Close() error
}

// Jobs is the part of a [Store] for who knows whose job to read or write.
type Jobs interface {
	// Put stores a job just delegated, in place of an earlier one of its key
	// (by [Job.After]), which is returned; [Job.Replacing] is applied, so that
	// the earlier one is cancelled whatever happens to the caller.
	// ErrSuperseded if the stored one is later. Putting the same delegation
	// again changes nothing.
	Put(ctx context.Context, job Job) (replaced *Job, err error)
	// Get returns the job of a key, or ErrNotFound.
	Get(ctx context.Context, key Key) (Job, error)
	// Save writes job, whose Version must be the stored one, and returns it
	// with its new version; else, also when it was removed, ErrConflict.
	Save(ctx context.Context, job Job) (Job, error)
	// Delete ends the job if its version is still the stored one, else
	// ErrConflict.
	Delete(ctx context.Context, job Job) error
}

// Queue is the part of a [Store] that hands out work. Claim and Save keep the
// order of the due jobs by [Job.Due]; a job that is lent is not due before its
// lease ends.
type Queue interface {
	// Claim lends up to n jobs that are due at now to holder, those due first
	// first, each for its [Job.LeaseTime].
	Claim(ctx context.Context, holder string, now time.Time, n int) ([]Job, error)
	// ClaimRooms returns up to n rooms that hold jobs and have not been
	// returned, to anybody, within the last every (jittered by the caller).
	// One that has just got its first job has not been.
	ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error)
}

// Index is the part of a [Store] for questions about many jobs.
type Index interface {
	// Room returns the jobs of a room, Rooms those that a job occupies
	// ([Job.Occupies]).
	Room(ctx context.Context, room sfu.Room) ([]Job, error)
	Rooms(ctx context.Context) ([]sfu.Room, error)
	// Count returns how many jobs there are, and what those of the user's
	// homeserver ask of it. Every write keeps the numbers exactly.
	Count(ctx context.Context, user matrix.UserID) (Counts, error)
}
