package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// Moved returns j with d added to all its times, for a process whose clock is ahead
// by d. The times are cut to milliseconds first. Zero times stay zero.
func (j Job) Moved(d time.Duration) Job {
	j.eachTime(func(_ field, t *time.Time) {
		if !t.IsZero() {
			*t = t.Truncate(time.Millisecond).Add(d)
		}
	})
	return j
}

// NotAhead returns j without impossible times. A job has such times if the clock
// was set back after the times were written. The time of a past event becomes now
// if it is later. A due time becomes now if it is later than any that could have
// been planned. A deadline becomes at most the latest one that could have been
// planned.
func (j Job) NotAhead(now time.Time) Job {
	j.eachTime(func(f field, t *time.Time) {
		if f.past {
			*t = timing.Earlier(*t, now)
		}
	})
	longest := max(j.Delay, minGiveUp)
	if j.NextRestart.After(now.Add(j.Delay)) {
		j.NextRestart = now
	}
	if j.NextCancel.After(now.Add(longest)) {
		j.NextCancel = now
	}
	switch j.State {
	case Connected: // the keeper's questions about the whole room cover this job
		return j
	case Waiting:
		longest = min(maxWait, j.Delay) + longestGrace
	case Leaving:
		longest = longestGrace
	}
	j.Deadline = timing.Earlier(j.Deadline, now.Add(longest))
	if j.NextLook.After(now.Add(longest)) {
		j.NextLook = now
	}
	return j
}
