package memstore

import (
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// entry is a job in the store, with its positions in all indexes.
type entry struct {
	place
	packed leave.Packed
	counted
	key     leave.Key
	version uint64
	room    *room
	seat    int // the index of the entry in room.jobs
	owner   *user
}

// counted is what the job of an entry has added to the counts.
type counted struct {
	weight   leave.Weight
	state    leave.State
	occupies bool
}

// hold stores job in the entry. The entry must already have the job's key and owner.
// hold returns the job as the store keeps it, with times in milliseconds.
func (e *entry) hold(job leave.Job) leave.Job {
	e.packed, job = job.Pack()
	e.version = job.Version
	e.counted = counted{leave.WeightOf(job.Delay), shared(job.State), job.Occupies()}
	return job
}

func (e *entry) job() leave.Job { return e.packed.Job(e.key, e.owner.id) }

// shared returns the constant that is equal to s. So all jobs share the memory of this
// text.
func shared(s leave.State) leave.State {
	for _, known := range leave.States() {
		if s == known {
			return known
		}
	}
	return s
}

// toMillis returns job with its times cut to milliseconds, as the store keeps them.
func toMillis(job leave.Job) leave.Job {
	_, job = job.Pack()
	return job
}

// millis returns t in milliseconds since 1970. It returns 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// room is a LiveKit room that has at least one job.
type room struct {
	place
	name     sfu.Room
	jobs     []*entry
	occupied int // how many of the room's jobs occupy the room ([leave.Job.Occupies])
}

// user is a user who has at least one job.
type user struct {
	id     matrix.UserID
	jobs   int
	weight leave.Weight // the weight of all jobs of the user
	server *server
}

// server is a homeserver that has at least one user with a job.
type server struct {
	users  int
	jobs   int          // how many jobs all users of the server have together
	weight leave.Weight // the weight of all jobs of the server's users
}

func (r *room) add(e *entry) {
	e.room, e.seat = r, len(r.jobs)
	r.jobs = append(r.jobs, e)
}

func (r *room) remove(e *entry) {
	last := len(r.jobs) - 1
	r.jobs[e.seat] = r.jobs[last]
	r.jobs[e.seat].seat = e.seat
	r.jobs[last] = nil
	r.jobs = r.jobs[:last]
}
