package leave

import "time"

// RestartDone records in j that the homeserver has restarted the delay, and returns the
// changed j. The argument sent is when the keeper began to send the request. The
// argument next is the time from sent to the next restart.
func (j Job) RestartDone(sent time.Time, next time.Duration) Job {
	if sent.After(j.Restarted) {
		j.Restarted = sent
	}
	j.Restarts = 0
	j.NextRestart = sent.Add(next)
	return j
}

// RestartFailed returns j after a failed restart. The next attempt comes when wait has
// passed, or later. If the leave would fire before that, the attempt comes earlier.
func (j Job) RestartFailed(now time.Time, wait time.Duration) Job {
	j.Restarts++
	j.NextRestart = j.notTooLate(now, now.Add(max(wait, pause(j.Delay, j.Restarts))))
	return j
}

// SendFailed returns j after a failed send. The next attempt comes when wait has
// passed, or later.
func (j Job) SendFailed(now time.Time, wait time.Duration) Job {
	j.Sends++
	j.NextLook = now.Add(max(wait, pause(j.Delay, j.Sends)))
	return j
}
