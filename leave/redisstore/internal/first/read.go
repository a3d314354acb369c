package first

import (
	"context"
	"errors"
	"strconv"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

const (
	// page is how many jobs one script reads or writes at most. There is a limit because
	// Redis does nothing else while a script runs.
	page = 200
	// mostClaimed is how many jobs one script leases at most.
	mostClaimed = 1000
)

// jobsKey is an index into the list of Redis keys. At this index is the key of the hash
// that holds the jobs.
const jobsKey = 2

var errAnswer = errors.New("redisstore/first: the answer of a script is not as expected")

// Get returns the job of a key.
func (s *Store) Get(ctx context.Context, key leave.Key) (leave.Job, error) {
	values, err := s.call(ctx, getScript, field(key))
	if err != nil {
		return leave.Job{}, err
	}
	if jobs, _ := s.jobs(values); len(jobs) == 1 {
		return jobs[0], nil
	}
	return leave.Job{}, leave.ErrNotFound
}

// Claim leases up to n due jobs to holder. The leases end by the clock of Redis.
func (s *Store) Claim(ctx context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	if n <= 0 {
		return nil, nil
	}
	values, err := s.call(ctx, claimScript, s.there(now), min(n, mostClaimed), holder)
	if err != nil {
		return nil, err
	}
	jobs, bad := s.jobs(values)
	s.setAside(ctx, now, bad)
	return jobs, nil
}

// ClaimRooms returns up to n rooms, beginning with the room that it returned longest
// ago. It returns a room again only when at least the duration every has passed.
func (s *Store) ClaimRooms(ctx context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error) {
	if n <= 0 {
		return nil, nil
	}
	at := s.there(now)
	latest := min(at-every.Milliseconds(), at-1)
	names, err := s.call(ctx, claimRoomsScript, at, latest, min(n, mostClaimed))
	return rooms(names), err
}

// Room returns the jobs of a room.
func (s *Store) Room(ctx context.Context, room sfu.Room) ([]leave.Job, error) {
	var jobs []leave.Job
	for last := ""; ; {
		values, err := s.call(ctx, roomScript, string(room), last, page)
		switch {
		case err != nil:
			return nil, err
		case len(values) == 0:
			return nil, errAnswer
		case values[0] == "":
			return jobs, nil
		}
		last = values[0]
		some, _ := s.jobs(values[1:])
		jobs = append(jobs, some...)
	}
}

// Rooms returns the rooms that at least one job occupies ([leave.Job.Occupies]).
func (s *Store) Rooms(ctx context.Context) ([]sfu.Room, error) {
	names, err := s.call(ctx, roomsScript)
	return rooms(names), err
}

func rooms(names []string) []sfu.Room {
	var rooms []sfu.Room
	for _, name := range names {
		rooms = append(rooms, sfu.Room(name))
	}
	return rooms
}

// Count returns how many jobs the store has: in each state, of user, and of the user's
// homeserver.
func (s *Store) Count(ctx context.Context, user matrix.UserID) (leave.Counts, error) {
	values, err := s.call(ctx, countScript, counters(user)...)
	if err != nil {
		return leave.Counts{}, err
	}
	var numbers []int64
	for _, value := range values {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return leave.Counts{}, errAnswer
		}
		numbers = append(numbers, n)
	}
	states := leave.States()
	if len(numbers) != len(states)+5 {
		return leave.Counts{}, errAnswer
	}
	c := leave.Counts{All: int(numbers[0]), ByState: map[leave.State]int{}}
	for i, state := range states {
		c.ByState[state] = int(numbers[1+i])
	}
	mine := numbers[1+len(states):]
	c.OfUser, c.OfServer = int(mine[0]), int(mine[1])
	c.Load, c.LoadOfUser = leave.Weight(mine[2]).Load(), leave.Weight(mine[3]).Load()
	return c, nil
}

// jobs decodes a list in which the names of jobs (see field) and their records
// alternate. The times of the decoded jobs are by our clock. jobs returns invalid
// records separately, so that they do not stop work on the other jobs.
func (s *Store) jobs(values []string) (jobs []leave.Job, bad []noJob) {
	for i := 0; i+1 < len(values); i += 2 {
		r := stored{values[i], values[i+1]}
		if r.value == "" {
			continue
		}
		job, err := decode(r)
		if err != nil {
			bad = append(bad, s.bad(r, err))
			continue
		}
		jobs = append(jobs, s.here(job))
	}
	return jobs, bad
}

// here returns a job from Redis with its times by our clock instead of the store's
// time.
func (s *Store) here(job leave.Job) leave.Job { return job.Moved(-s.clock.ahead()) }

// there converts t, a time by our clock, to the store's time. It returns the
// milliseconds since 1970.
func (s *Store) there(t time.Time) int64 { return millis(t.Add(s.clock.ahead())) }
