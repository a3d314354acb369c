package standby

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
)

// always returns a context that never ends. It is for calls to memory, which never
// wait.
func always() context.Context { return context.Background() }

// keep stores a copy of job in memory, unless memory already has a newer copy. Memory
// can have a newer copy because answers to simultaneous calls come in any order. The
// caller of keep, and of the functions below, must hold s.mu.
func (s *Store) keep(job leave.Job) {
	if s.outage != nil && s.outage.hasEnded(job) {
		return
	}
	old, err := s.memory.Get(always(), job.Key)
	if err == nil {
		if old.Newer(job) || old.Same(job) && job.Version == 0 {
			return
		}
		_ = s.memory.Delete(always(), old) // there is no conflict, because old was read just now
	}
	_ = s.memory.Merge(always(), []leave.Job{job})
}

// refresh updates the copy of job in memory. It does nothing if there is no copy.
func (s *Store) refresh(job leave.Job) {
	if _, err := s.memory.Get(always(), job.Key); err == nil {
		s.keep(job)
	}
}

// drop removes the copy of job, which has ended.
func (s *Store) drop(job leave.Job) {
	if old, err := s.memory.Get(always(), job.Key); err == nil && !old.After(job) {
		_ = s.memory.Delete(always(), old)
	}
}

const (
	sweepEvery = time.Minute
	sweepStep  = 256 // how many copies one call of sweepSome checks
)

// sweep records how far a check of all copies has got. Each call of sweepSome checks
// some of the copies.
type sweep struct {
	left  []leave.Key
	began time.Time
}

// sweepSome checks the next few copies in memory. If a different process works on a job
// (see elsewhere), sweepSome removes the job's copy. When all copies are checked, a later
// call begins with the first copy again. At least sweepEvery passes between two
// beginnings.
func (s *Store) sweepSome(now time.Time) {
	if len(s.sweep.left) == 0 && now.Sub(s.sweep.began) >= sweepEvery {
		s.sweep = sweep{s.memory.Keys(), now}
	}
	n := min(len(s.sweep.left), sweepStep)
	for _, key := range s.sweep.left[:n] {
		if job, err := s.memory.Get(always(), key); err == nil && elsewhere(job, now) {
			_ = s.memory.Delete(always(), job)
		}
	}
	s.sweep.left = s.sweep.left[n:]
}

// elsewhere reports whether a different process must be working on job, because this
// process has not got the job for long: its copy in memory has been overdue for more
// than 80 % of the delay, and for more than 30 s.
func elsewhere(job leave.Job, now time.Time) bool {
	return now.Sub(job.Due()) > max(job.Delay/5*4, 30*time.Second)
}
