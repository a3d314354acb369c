package leave

import "time"

// RestartDone records that the homeserver has restarted the delay. sent is just
// before the request was sent.
func (j Job) RestartDone(sent time.Time, next time.Duration) Job {
	if sent.After(j.Restarted) {
		j.Restarted = sent
	}
	j.Restarts = 0
	j.NextRestart = sent.Add(next)
	return j
}

// RestartFailed plans the next try, not before wait has passed, but in any case
// before the leave fires.
func (j Job) RestartFailed(now time.Time, wait time.Duration) Job {
	j.Restarts++
	j.NextRestart = j.notTooLate(now, now.Add(max(wait, pause(j.Delay, j.Restarts))))
	return j
}

// SendFailed plans the next try, not before wait has passed.
func (j Job) SendFailed(now time.Time, wait time.Duration) Job {
	j.Sends++
	j.NextLook = now.Add(max(wait, pause(j.Delay, j.Sends)))
	return j
}
