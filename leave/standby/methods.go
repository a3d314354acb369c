package standby

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Put stores a job just delegated. In an outage only so many are accepted; the
// error is then a *[leave.LimitError].
func (s *Store) Put(ctx context.Context, job leave.Job) (*leave.Job, error) {
	job.Version = 0 // it has none before it is stored
	return do(ctx, s,
		func(ctx context.Context) (*leave.Job, error) { return s.store.Put(ctx, job) },
		func(o *outage) (*leave.Job, error) { return o.put(job) },
		func(replaced *leave.Job) {
			if replaced != nil {
				job = job.Replacing(*replaced)
			}
			s.keep(job)
		})
}

// Get returns the job of a key. In an outage ErrNotFound comes with
// [leave.ErrAway]: the store may have it.
func (s *Store) Get(ctx context.Context, key leave.Key) (leave.Job, error) {
	return do(ctx, s,
		func(ctx context.Context) (leave.Job, error) { return s.store.Get(ctx, key) },
		func(o *outage) (leave.Job, error) { return o.get(key) },
		s.refresh)
}

// Save writes a job whose version is the stored one.
func (s *Store) Save(ctx context.Context, job leave.Job) (leave.Job, error) {
	return do(ctx, s,
		func(ctx context.Context) (leave.Job, error) {
			if marked(job.Version) {
				return leave.Job{}, leave.ErrConflict
			}
			return s.store.Save(ctx, job)
		},
		func(o *outage) (leave.Job, error) { return o.save(job) },
		s.keep)
}

// Delete ends a job whose version is the stored one.
func (s *Store) Delete(ctx context.Context, job leave.Job) error {
	_, err := do(ctx, s,
		func(ctx context.Context) (struct{}, error) {
			if marked(job.Version) {
				return struct{}{}, leave.ErrConflict
			}
			return struct{}{}, s.store.Delete(ctx, job)
		},
		func(o *outage) (struct{}, error) { return struct{}{}, o.delete(job) },
		func(struct{}) { s.drop(job) })
	return err
}

// Claim lends up to n due jobs to holder.
func (s *Store) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	return do(ctx, s,
		func(ctx context.Context) ([]leave.Job, error) { return s.store.Claim(ctx, holder, now, n) },
		func(o *outage) ([]leave.Job, error) { return o.claim(holder, now, n) },
		func(jobs []leave.Job) {
			for _, job := range jobs {
				s.keep(job)
			}
			s.sweepSome(now)
		})
}

// ClaimRooms returns up to n rooms that were not returned within the last
// every. In an outage each is due after 5 s.
func (s *Store) ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error) {
	return do(ctx, s,
		func(ctx context.Context) ([]sfu.Room, error) { return s.store.ClaimRooms(ctx, now, every, n) },
		func(o *outage) ([]sfu.Room, error) {
			return o.memory.ClaimRooms(context.Background(), now, min(every, s.looks), n)
		},
		func([]sfu.Room) {})
}

// Room returns the jobs of a room.
func (s *Store) Room(ctx context.Context, room sfu.Room) ([]leave.Job, error) {
	return do(ctx, s,
		func(ctx context.Context) ([]leave.Job, error) { return s.store.Room(ctx, room) },
		func(o *outage) ([]leave.Job, error) { return o.room(room) },
		func(jobs []leave.Job) {
			for _, job := range jobs {
				s.refresh(job)
			}
		})
}

// Rooms returns the rooms that somebody is, or was just now, in; in an outage
// those that this process knows.
func (s *Store) Rooms(ctx context.Context) ([]sfu.Room, error) {
	return do(ctx, s,
		s.store.Rooms,
		func(o *outage) ([]sfu.Room, error) { return o.memory.Rooms(context.Background()) },
		func([]sfu.Room) {})
}

// Count returns how many jobs there are; in an outage those that this process
// knows.
func (s *Store) Count(ctx context.Context, user matrix.UserID) (leave.Counts, error) {
	return do(ctx, s,
		func(ctx context.Context) (leave.Counts, error) { return s.store.Count(ctx, user) },
		func(o *outage) (leave.Counts, error) { return o.memory.Count(always(), user) },
		func(leave.Counts) {})
}

// Merge brings in copies.
func (s *Store) Merge(ctx context.Context, jobs []leave.Job) error {
	jobs = unmarked(jobs)
	_, err := do(ctx, s,
		func(ctx context.Context) (struct{}, error) { return struct{}{}, s.store.Merge(ctx, jobs) },
		func(o *outage) (struct{}, error) { return struct{}{}, o.merge(jobs) },
		func(struct{}) {
			for _, job := range jobs {
				s.keep(job)
			}
		})
	return err
}
