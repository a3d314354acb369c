package standby

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// copying is the mode of a Store whose jobs are outside this process, for example in
// Redis. The Store keeps copies of the jobs. In an outage, it answers calls from these
// copies.
type copying struct{ s *Store }

// Put stores a new delegation. In an outage, it accepts at most mostAccepted new jobs.
// If there are more, it returns a *[leave.LimitError].
func (c copying) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	job.Version = 0 // only stored jobs have a version
	return do(ctx, c.s,
		func(ctx context.Context) (*leave.Job, error) { return c.s.store.Put(ctx, job) },
		func(o *outage) (*leave.Job, error) { return o.put(job) },
		func(replaced *leave.Job) {
			if replaced != nil {
				job = job.Replacing(*replaced)
			}
			c.s.keep(job)
		})
}

// Get returns the job of a key. In an outage, there may be no copy of the job,
// although the store has the job. Then Get returns ErrNotFound together with
// [leave.ErrAway].
func (c copying) Get(ctx context.Context, key leave.Key) (leave.Job, error) {
	return do(ctx, c.s,
		func(ctx context.Context) (leave.Job, error) { return c.s.store.Get(ctx, key) },
		func(o *outage) (leave.Job, error) { return o.get(key) },
		c.s.refresh)
}

// Save writes job if the stored job has the same version.
func (c copying) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	return do(ctx, c.s,
		func(ctx context.Context) (leave.Job, error) {
			if marked(job.Version) {
				return leave.Job{}, leave.ErrConflict
			}
			return c.s.store.Save(ctx, job)
		},
		func(o *outage) (leave.Job, error) { return o.save(job) },
		c.s.keep)
}

// Delete removes job if the stored job has the same version.
func (c copying) Delete(ctx context.Context, job leave.Job) error {
	_, err := do(ctx, c.s,
		func(ctx context.Context) (struct{}, error) {
			if marked(job.Version) {
				return struct{}{}, leave.ErrConflict
			}
			return struct{}{}, c.s.store.Delete(ctx, job)
		},
		func(o *outage) (struct{}, error) { return struct{}{}, o.delete(job) },
		func(struct{}) { c.s.drop(job) })
	return err
}

// Claim leases up to n due jobs to holder.
func (c copying) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	return do(ctx, c.s,
		func(ctx context.Context) ([]leave.Job, error) { return c.s.store.Claim(ctx, holder, now, n) },
		func(o *outage) ([]leave.Job, error) { return o.claim(holder, now, n) },
		func(jobs []leave.Job) {
			for _, job := range jobs {
				c.s.keep(job)
			}
			c.s.sweepSome(now)
		})
}

// ClaimRooms returns up to n rooms. The argument every is a period. In each such
// period, all calls together return the same room at most once. In an outage, the
// period is at most 5 s.
func (c copying) ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error) {
	return do(ctx, c.s,
		func(ctx context.Context) ([]sfu.Room, error) { return c.s.store.ClaimRooms(ctx, now, every, n) },
		func(o *outage) ([]sfu.Room, error) {
			return o.memory.ClaimRooms(context.Background(), now, min(every, c.s.looks), n)
		},
		func([]sfu.Room) {})
}

// Room returns the jobs of a room.
func (c copying) Room(ctx context.Context, room sfu.Room) ([]leave.Job, error) {
	return do(ctx, c.s,
		func(ctx context.Context) ([]leave.Job, error) { return c.s.store.Room(ctx, room) },
		func(o *outage) ([]leave.Job, error) { return o.room(room) },
		func(jobs []leave.Job) {
			for _, job := range jobs {
				c.s.refresh(job)
			}
		})
}

// Rooms returns the rooms that at least one job occupies ([leave.Job.Occupies]). In an
// outage, it considers only the jobs that this process knows.
func (c copying) Rooms(ctx context.Context) ([]sfu.Room, error) {
	return do(ctx, c.s,
		c.s.store.Rooms,
		func(o *outage) ([]sfu.Room, error) { return o.memory.Rooms(context.Background()) },
		func([]sfu.Room) {})
}

// Count returns how many jobs the store has. In an outage, it counts the jobs that this
// process knows.
func (c copying) Count(ctx context.Context, user matrix.UserID) (leave.Counts, error) {
	return do(ctx, c.s,
		func(ctx context.Context) (leave.Counts, error) { return c.s.store.Count(ctx, user) },
		func(o *outage) (leave.Counts, error) { return o.memory.Count(always(), user) },
		func(leave.Counts) {})
}

// Merge merges jobs, which are copies, into the stored jobs.
func (c copying) Merge(ctx context.Context, jobs []leave.Job) error {
	jobs = unmarked(jobs)
	_, err := do(ctx, c.s,
		errorOf(func(ctx context.Context) error { return c.s.store.Merge(ctx, jobs) }),
		func(o *outage) (struct{}, error) { return struct{}{}, o.merge(jobs) },
		func(struct{}) {
			for _, job := range jobs {
				c.s.keep(job)
			}
		})
	return err
}

// Close closes the other store, which stands behind this one.
func (c copying) Close() error { return c.s.store.Close() }

func (c copying) probe(ctx context.Context) error {
	_, err := c.s.store.Count(ctx, matrix.UserID{})
	return err
}

// deliver writes changes to the other store, which stands behind this one. If it writes
// a change twice, this does no harm.
func (c copying) deliver(ctx context.Context, w work) error {
	var jobs []leave.Job
	for _, key := range w.changed {
		if job, err := c.s.memory.Get(always(), key); err == nil {
			jobs = append(jobs, job)
		}
	}
	_, err := ask(ctx, errorOf(func(ctx context.Context) error { return c.s.store.Merge(ctx, jobs) }))
	if err != nil {
		return err
	}
	return c.s.removeAll(ctx, w.ended)
}
