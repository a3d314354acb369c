package memstore

import "matrixrtc-auth/leave"

// write stores job with a new version, and returns the job as stored. The caller of
// write, and of each function below, holds the lock.
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

// dueAt returns the time, in milliseconds since 1970, from which a job can be
// claimed. At that time the job is due, and its lease has ended.
func dueAt(job leave.Job) int64 {
	return max(millis(job.Due()), millis(job.Lease.Until))
}

// add creates an entry without a job for key, and returns it.
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

// drop removes a job. It also removes the job's room and user if they have no
// other job.
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
