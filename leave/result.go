package leave

import "time"

// RestartDone is told by the homeserver: the delay has begun anew at sent, the
// time before the request left.
func (j Job) RestartDone(sent time.Time, next time.Duration) Job {
	if sent.After(j.Restarted) {
		j.Restarted = sent
	}
	j.Restarts = 0
	j.NextRestart = sent.Add(next)
	return j
}

// RestartFailed plans the next try, not before wait has passed; but one is made
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
