package memstore

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

// Claim leases up to n due jobs to holder. It takes O(n log jobs).
func (s *Store) Claim(_ context.Context, holder string, now time.Time, n int) ([]leave.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var jobs []leave.Job
	for len(jobs) < n && len(s.due) > 0 && s.due[0].at <= now.UnixMilli() {
		job := s.due[0].job()
		// A lease of less than a millisecond would already have ended. Then the next
		// round of this loop would lease the same job again.
		job.Lease = leave.Lease{Holder: holder, Until: now.Add(max(job.LeaseTime(), time.Millisecond))}
		jobs = append(jobs, s.write(job))
	}
	return jobs, nil
}

// ClaimRooms returns up to n rooms, beginning with the room that it returned longest
// ago. It returns a room again only when at least the duration every has passed.
func (s *Store) ClaimRooms(_ context.Context, now time.Time, every time.Duration, n int) ([]sfu.Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rooms []sfu.Room
	latest := min(now.Add(-every).UnixMilli(), now.UnixMilli()-1)
	for len(rooms) < n && len(s.looked) > 0 && s.looked[0].at <= latest {
		rooms = append(rooms, s.looked[0].name)
		s.looked.move(s.looked[0], now.UnixMilli())
	}
	return rooms, nil
}

// Room returns the jobs of the named room.
func (s *Store) Room(_ context.Context, name sfu.Room) ([]leave.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[name]
	if r == nil {
		return nil, nil
	}
	jobs := make([]leave.Job, len(r.jobs))
	for i, e := range r.jobs {
		jobs[i] = e.job()
	}
	return jobs, nil
}

// Rooms returns the rooms that at least one job occupies ([leave.Job.Occupies]).
func (s *Store) Rooms(context.Context) ([]sfu.Room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []sfu.Room
	for name, r := range s.rooms {
		if r.occupied > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}
