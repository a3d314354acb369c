package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// Moved returns j with d added to all its times. The result is for a process whose
// clock is ahead by d. Moved first cuts the times to milliseconds. Zero times stay
// zero.
func (j Job) Moved(d time.Duration) Job {
	j.eachTime(func(_ field, t *time.Time) {
		if !t.IsZero() {
			*t = t.Truncate(time.Millisecond).Add(d)
		}
	})
	return j
}

// NotAhead returns j without impossible times. A job has such times if the clock was
// set back after the times were written. NotAhead sets these times:
//   - The time of a past event becomes now if it is later than now.
//   - The due time of an action becomes now if it is later than any time for which
//     this job can have planned the action.
//   - A deadline becomes the latest possible deadline if it is later.
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
	case Connected: // the keeper's questions about the whole room are enough for this job
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
