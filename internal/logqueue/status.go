package logqueue

import "time"

// Status is the state of the log.
type Status struct {
	// Waiting is the number of lines that are not written yet.
	Waiting int
	// Dropped is the number of lines lost since the start.
	Dropped uint64
	// Trouble is LinesWait, LinesAreLost, or "" if the log has no problem.
	Trouble string
	// Cause is the error of the last write. It is nil if there was no error. It can
	// be nil although a write has been in progress for too long.
	Cause error
}

// These are the values of [Status.Trouble] if the log has a problem.
const (
	LinesWait    = "the log cannot be written: lines wait"
	LinesAreLost = "the log cannot be written: lines are lost"
)

// Status returns the current state of the log.
func (q *Queue) Status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Status{Waiting: q.lines, Dropped: q.dropped, Cause: q.fault}
	switch {
	case q.losing:
		s.Trouble = LinesAreLost
	case q.fault != nil, !q.began.IsZero() && time.Since(q.began) >= stallTime:
		s.Trouble = LinesWait
	}
	return s
}
