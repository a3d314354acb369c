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

// outage is the state of an outage. An outage lasts from the first call without an
// answer until all changes since then are merged into the store. Callers of the methods
// hold Store.mu.
type outage struct {
	memory *memstore.Store
	mark   uint64 // the bits that mark the versions of jobs from memory in this outage; see markBits
	cause  error  // the last error of the store, as a shortened text

	accepted map[leave.Key]struct{}   // the new jobs that memory has accepted in this outage
	changed  map[leave.Key]struct{}   // the changed jobs that must still be merged into the store that does not answer
	ended    map[delegation]leave.Job // the ended jobs that must still be removed from the store that does not answer
}

// delegation identifies one delegation of a key.
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

// maxCause is how many bytes are kept of the error of the store that does not answer.
const maxCause = 200

// noteCause records the last error of the store. If the store has lost its jobs, all
// copies count as changed, so that the store gets all of them.
func (o *outage) noteCause(cause error) {
	o.cause = errors.New(text.Clip(cause.Error(), maxCause))
	if errors.Is(cause, leave.ErrForgotten) {
		for _, key := range o.memory.Keys() {
			o.changed[key] = struct{}{}
		}
	}
}

// left returns how many changes must still be written to the store that does not answer.
func (o *outage) left() int { return len(o.changed) + len(o.ended) }

// If a caller gets a job from memory in an outage, the job's version is marked. The
// highest bit of a marked version is set. The next 10 bits contain the number of the
// outage. The versions in stores never become so large.
const (
	fromMemory uint64 = 1 << 63
	markShift         = 53
	markBits   uint64 = (1<<(64-markShift) - 1) << markShift
)

func marked(version uint64) bool { return version&fromMemory != 0 }

// unmarked returns a copy of jobs in which no version is marked (see markBits).
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

// read removes the mark from the job's version (see markBits), and returns the job.
// Its version is then the one that the memory stores. read also reports whether the
// mark was of this outage, which means that the caller got job from this memory.
func (o *outage) read(job leave.Job) (leave.Job, bool) {
	own := job.Version&markBits == o.mark
	job.Version &^= markBits
	return job, own
}

func (o *outage) hasEnded(job leave.Job) bool {
	_, ended := o.ended[of(job)]
	return ended
}

// stray reports whether a caller may change job although memory has no copy of it. That
// is so if the caller read job from the store before the outage, because this process
// knows no newer version of job. If stray reports false, the change is a conflict.
func (o *outage) stray(job leave.Job) bool {
	if marked(job.Version) || job.Version == 0 || o.hasEnded(job) {
		return false
	}
	_, err := o.memory.Get(always(), job.Key)
	return err != nil
}

// errUnknown is the error if memory does not have the job. It is always the same value,
// so that results can be compared.
var errUnknown = fmt.Errorf("%w in the memory of this process, and %w", leave.ErrNotFound, leave.ErrAway)

func (o *outage) get(key leave.Key) (leave.Job, error) {
	job, err := o.memory.Get(always(), key)
	if err != nil {
		return leave.Job{}, errUnknown
	}
	return o.shown(job), nil
}

// accept counts a new job that only memory is about to store, because the store behind
// does not answer. It returns an error if there are already mostAccepted such jobs.
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
