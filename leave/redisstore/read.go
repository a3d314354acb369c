package redisstore

import (
	"context"
	"errors"
	"strconv"
	"strings"
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

var errAnswer = errors.New("redisstore: the answer of a script is not as expected")

// Get returns the job of a key.
func (s *Store) Get(ctx context.Context, key leave.Key) (leave.Job, error) {
	values, err := s.call(ctx, getScript, field(key), id(key))
	if err != nil {
		return leave.Job{}, err
	}
	if len(values) != 2 {
		return leave.Job{}, errAnswer
	}
	found := pair{values[0], values[1]}
	if found.isTwo() {
		return s.unite(ctx, key, found)
	}
	if job, ok := s.read(key, found); ok {
		return s.here(job), nil
	}
	return leave.Job{}, leave.ErrNotFound
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

// Count returns how many jobs the store has: in all, in each state, of user, and of the
// user's homeserver. It also returns how many restarts per second the jobs of the user
// and of the user's homeserver need.
func (s *Store) Count(ctx context.Context, user matrix.UserID) (leave.Counts, error) {
	fields, fields2 := counters(user)
	args := append(append([]any{len(fields)}, fields...), fields2...)
	values, err := s.call(ctx, countScript, args...)
	if err != nil {
		return leave.Counts{}, err
	}
	numbers, err := parseNumbers(values)
	if err != nil || len(numbers) != 1+len(fields)+2*len(fields2) {
		return leave.Counts{}, errAnswer
	}
	first, second := numbers[1:1+len(fields)], numbers[1+len(fields):]
	states := leave.States()
	c := leave.Counts{All: int(numbers[0]), ByState: map[leave.State]int{}}
	for i, state := range states {
		c.ByState[state] = int(first[i] + second[2*i])
	}
	first, second = first[len(states):], second[2*len(states):]
	c.OfUser, c.OfServer = int(first[0]+second[0]), int(first[1]+second[2])
	c.Load, c.LoadOfUser = leave.Weight(first[2]+second[3]).Load(), leave.Weight(first[3]+second[1]).Load()
	return c, nil
}

// parseNumbers parses texts that each contain one number or two numbers.
func parseNumbers(texts []string) (numbers []int64, err error) {
	for _, text := range texts {
		for word := range strings.FieldsSeq(text) {
			n, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// jobs decodes records in the given format. places says where in Redis each record is.
// The times of the jobs are by our clock. jobs returns invalid records separately, so
// that they do not stop work on the other jobs.
func (s *Store) jobs(form form, places, values []string) (jobs []leave.Job, bad []noJob) {
	for i, value := range values[:min(len(values), len(places))] {
		r := stored{form, places[i], value}
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

// there returns the store's time for t, a time by our clock, in milliseconds since
// 1970.
func (s *Store) there(t time.Time) int64 { return millis(t.Add(s.clock.ahead())) }
