package memstore

import "matrixrtc-auth/leave"

// write stores job with a new version, and returns the job as the store keeps it. The
// caller of write must hold the lock. This also applies to the functions below.
func (s *Store) write(job leave.Job) leave.Job {
	s.version = max(s.version, job.Version) + 1
	job.Version = s.version
	e := s.jobs[job.Key]
	if e == nil {
		e = s.add(job.Key)
	}
	if e.owner != nil {
		s.count(e, -1)
	}
	s.own(e, job.User)
	job = e.hold(job)
	s.count(e, +1)
	s.due.move(e, dueAt(job))
	return job
}

// dueAt returns the first time at which a claim may return the job, in milliseconds
// since 1970. At that time, the job is due, and its lease has ended.
func dueAt(job leave.Job) int64 {
	return max(millis(job.Due()), millis(job.Lease.Until))
}

// add creates an entry for key, which has no job yet, and returns the entry.
func (s *Store) add(key leave.Key) *entry {
	r := s.rooms[key.Room]
	if r == nil {
		r = &room{name: key.Room}
		s.rooms[r.name] = r
		s.looked.add(r, 0)
	}
	e := &entry{key: leave.Key{Room: r.name, Identity: key.Identity}}
	r.add(e)
	s.jobs[e.key] = e
	s.due.add(e, 0)
	return e
}

// drop removes the job of e. It also removes the job's room and the job's user if they
// have no other job.
func (s *Store) drop(e *entry) {
	delete(s.jobs, e.key)
	s.due.remove(e)
	s.count(e, -1)
	s.release(e.owner)
	r := e.room
	r.remove(e)
	if len(r.jobs) == 0 {
		delete(s.rooms, r.name)
		s.looked.remove(r)
	}
}
