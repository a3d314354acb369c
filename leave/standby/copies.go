package standby

import (
	"context"
	"time"

	"matrixrtc-auth/leave"
)

// always is the context of calls to memory, which never wait.
func always() context.Context { return context.Background() }

// keep has memory hold a copy of job as the store has it, unless it holds a
// newer one: answers to calls at the same time come in any order. The lock is
// held, here and below.
func (s *Store) keep(job leave.Job) {
	if s.outage != nil && s.outage.hasEnded(job) {
		return
	}
	old, err := s.memory.Get(always(), job.Key)
	if err == nil {
		if old.Newer(job) || old.Same(job) && job.Version == 0 {
			return
		}
		_ = s.memory.Delete(always(), old) // it has just been read
	}
	_ = s.memory.Merge(always(), []leave.Job{job})
}

// refresh keeps a copy that there is already as the store has it.
func (s *Store) refresh(job leave.Job) {
	if _, err := s.memory.Get(always(), job.Key); err == nil {
		s.keep(job)
	}
}

// drop forgets the copy of a job that has ended.
func (s *Store) drop(job leave.Job) {
	if old, err := s.memory.Get(always(), job.Key); err == nil && !old.After(job) {
		_ = s.memory.Delete(always(), old)
	}
}

const (
	sweepEvery = time.Minute
	sweepStep  = 256 // copies that one call looks at
)

// sweep is a walk through all copies, some at a time.
type sweep struct {
	left  []leave.Key
	began time.Time
}

// sweepSome forgets some of the copies that are of no more use.
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

// elsewhere reports whether job is overdue by a period, which at its longest
// is four fifths of the delay, and by more than a lease.
func elsewhere(job leave.Job, now time.Time) bool {
	return now.Sub(job.Due()) > max(job.Delay/5*4, 30*time.Second)
}
