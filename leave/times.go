package leave

import "time"

// Moved returns j with all its times later by d, and to the millisecond, for
// one whose clock is ahead by d. Zero times stay zero.
func (j Job) Moved(d time.Duration) Job {
	j.eachTime(func(_ field, t *time.Time) {
		if !t.IsZero() {
			*t = t.Truncate(time.Millisecond).Add(d)
		}
	})
	return j
}

// longestGrace is how long a participant that is gone may take to come back, at
// most: what LIVEKIT_RECONNECT_GRACE allows.
const longestGrace = time.Minute

// NotAhead returns j without the times that cannot be now: the clock by which
// they were written has been set back since. What has happened was not later
// than now, and what is due later than it can have been planned is due now.
func (j Job) NotAhead(now time.Time) Job {
	j.eachTime(func(f field, t *time.Time) {
		if f.past {
			*t = earlier(*t, now)
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
	case Connected: // is looked for with its room
		return j
	case Waiting:
		longest = min(maxWait, j.Delay) + longestGrace
	case Leaving:
		longest = longestGrace
	}
	j.Deadline = earlier(j.Deadline, now.Add(longest))
	if j.NextLook.After(now.Add(longest)) {
		j.NextLook = now
	}
	return j
}
