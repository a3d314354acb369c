package standby

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// outage is the time from when the store did not answer until all that has
// happened since is merged into it. Its methods are called with the lock of
// the Store held.
type outage struct {
	memory *memstore.Store
	mark   uint64 // of this outage's versions
	cause  error  // what the store said last: the text alone, clipped

	accepted map[leave.Key]struct{}   // new since it began
	changed  map[leave.Key]struct{}   // to be merged
	ended    map[delegation]leave.Job // to be removed
}

// delegation tells one from another of the same key.
type delegation struct {
	key leave.Key
	id  matrix.DelayID
	at  int64
}

func of(job leave.Job) delegation {
	return delegation{job.Key, job.DelayID, job.AcceptedAt.UnixMilli()}
}

func newOutage(memory *memstore.Store, number uint64, cause error) *outage {
	o := &outage{
		memory: memory, mark: fromMemory | number<<markShift&^fromMemory,
		accepted: map[leave.Key]struct{}{}, changed: map[leave.Key]struct{}{}, ended: map[delegation]leave.Job{},
	}
	o.noteCause(cause)
	return o
}

// maxCause bounds what is kept of a store's own words, in bytes.
const maxCause = 200

// noteCause notes what the store said. One that has lost its jobs is to be given
// all.
func (o *outage) noteCause(cause error) {
	o.cause = errors.New(text.Clip(cause.Error(), maxCause))
	if errors.Is(cause, leave.ErrForgotten) {
		for _, key := range o.memory.Keys() {
			o.changed[key] = struct{}{}
		}
	}
}

// left is how much is to be written.
func (o *outage) left() int { return len(o.changed) + len(o.ended) }

// A version from memory has the highest bit set, and below it the number of
// the outage. The stores' own versions are far from reaching that.
const (
	fromMemory uint64 = 1 << 63
	markShift         = 53
	markBits   uint64 = (1<<(64-markShift) - 1) << markShift
)

func marked(version uint64) bool { return version&fromMemory != 0 }

// unmarked returns jobs with the versions that stores give.
func unmarked(jobs []leave.Job) []leave.Job {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		if marked(jobs[i].Version) {
			jobs[i].Version &^= markBits
		}
	}
	return jobs
}

func (o *outage) shown(job leave.Job) leave.Job {
	job.Version |= o.mark
	return job
}

func (o *outage) allShown(jobs []leave.Job) []leave.Job {
	for i := range jobs {
		jobs[i] = o.shown(jobs[i])
	}
	return jobs
}

// read returns the job as it is in memory if it was read there, in this
// outage.
func (o *outage) read(job leave.Job) (leave.Job, bool) {
	own := job.Version&markBits == o.mark
	job.Version &^= markBits
	return job, own
}

func (o *outage) hasEnded(job leave.Job) bool {
	_, ended := o.ended[of(job)]
	return ended
}

// stray reports whether job was read from the store, and memory knows nothing
// of it: then the caller's word is all there is. Otherwise the caller has to
// read it again.
func (o *outage) stray(job leave.Job) bool {
	if marked(job.Version) || job.Version == 0 || o.hasEnded(job) {
		return false
	}
	_, err := o.memory.Get(always(), job.Key)
	return err != nil
}

// errUnknown is one value, so that two are the same.
var errUnknown = fmt.Errorf("%w here, and %w", leave.ErrNotFound, leave.ErrAway)

func (o *outage) get(key leave.Key) (leave.Job, error) {
	job, err := o.memory.Get(always(), key)
	if err != nil {
		return leave.Job{}, errUnknown
	}
	return o.shown(job), nil
}

// accept counts a job that is about to be put, if it is new, or refuses it.
func (o *outage) accept(key leave.Key) error {
	switch _, err := o.memory.Get(always(), key); {
	case err == nil:
		return nil
	case len(o.accepted) >= mostAccepted:
		return &leave.LimitError{Limit: "outage", Setting: "the memory of a replica whose store is away", Most: mostAccepted}
	}
	o.accepted[key] = struct{}{}
	return nil
}

func (o *outage) put(job leave.Job) (*leave.Job, error) {
	if err := o.accept(job.Key); err != nil {
		return nil, err
	}
	replaced, err := o.memory.Put(always(), job)
	if err != nil {
		return nil, err
	}
	o.changed[job.Key] = struct{}{}
	if replaced != nil {
		*replaced = o.shown(*replaced)
	}
	return replaced, nil
}

func (o *outage) save(job leave.Job) (leave.Job, error) {
	own, ok := o.read(job)
	switch {
	case ok:
		saved, err := o.memory.Save(always(), own)
		if err != nil {
			return leave.Job{}, err
		}
		o.changed[job.Key] = struct{}{}
		return o.shown(saved), nil
	case o.stray(job):
		if err := o.merge([]leave.Job{job}); err != nil {
			return leave.Job{}, err
		}
		return o.get(job.Key)
	}
	return leave.Job{}, leave.ErrConflict
}

func (o *outage) delete(job leave.Job) error {
	own, ok := o.read(job)
	switch {
	case ok:
		if err := o.memory.Delete(always(), own); err != nil {
			return err
		}
	case !o.stray(job):
		return leave.ErrConflict
	}
	delete(o.changed, job.Key)
	delete(o.accepted, job.Key)
	o.ended[of(job)] = job
	return nil
}

func (o *outage) claim(holder string, now time.Time, n int) ([]leave.Job, error) {
	jobs, err := o.memory.Claim(always(), holder, now, n)
	return o.allShown(jobs), err
}

func (o *outage) room(room sfu.Room) ([]leave.Job, error) {
	jobs, err := o.memory.Room(always(), room)
	return o.allShown(jobs), err
}

func (o *outage) merge(jobs []leave.Job) error {
	jobs = unmarked(jobs)
	for _, job := range jobs {
		o.changed[job.Key] = struct{}{}
	}
	return o.memory.Merge(always(), jobs)
}
