package leave

import "time"

// RestartDone returns j after the homeserver has restarted the delay. sent is the
// time just before the request was sent. The next restart is due at sent plus next.
func (j Job) RestartDone(sent time.Time, next time.Duration) Job {
	if sent.After(j.Restarted) {
		j.Restarted = sent
	}
	j.Restarts = 0
	j.NextRestart = sent.Add(next)
	return j
}

// RestartFailed returns j after a failed restart. The next try comes when wait has
// passed, or later. It comes earlier only if the leave would fire before.
func (j Job) RestartFailed(now time.Time, wait time.Duration) Job {
	j.Restarts++
	j.NextRestart = j.notTooLate(now, now.Add(max(wait, pause(j.Delay, j.Restarts))))
	return j
}

// SendFailed returns j after a failed send. The next try comes when wait has
// passed, or later.
func (j Job) SendFailed(now time.Time, wait time.Duration) Job {
	j.Sends++
	j.NextLook = now.Add(max(wait, pause(j.Delay, j.Sends)))
	return j
}
