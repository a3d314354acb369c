package leave

import "time"

// RestartDone returns j after the homeserver has restarted the delay. sent is
// the time just before the request was sent. The next restart is due when next
// has passed since sent.
func (j Job) RestartDone(sent time.Time, next time.Duration) Job {
	if sent.After(j.Restarted) {
		j.Restarted = sent
	}
	j.Restarts = 0
	j.NextRestart = sent.Add(next)
	return j
}

// RestartFailed returns j after a failed restart. The next try is not before
// wait has passed, unless the leave would fire before that.
func (j Job) RestartFailed(now time.Time, wait time.Duration) Job {
	j.Restarts++
	j.NextRestart = j.notTooLate(now, now.Add(max(wait, pause(j.Delay, j.Restarts))))
	return j
}

// SendFailed returns j after a failed send. The next try is not before wait has
// passed.
func (j Job) SendFailed(now time.Time, wait time.Duration) Job {
	j.Sends++
	j.NextLook = now.Add(max(wait, pause(j.Delay, j.Sends)))
	return j
}
