package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// Over returns the reason why the job must end without a further action. It returns ""
// if the job must not end. These are the reasons to end:
//   - Sends have failed until the leave fired by itself, or for 1 h.
//   - The SFU has not answered for 1 h.
//   - No restart has succeeded for as long as the delay, or for 1 h if that is longer.
//
// The argument began is when the process began to work on jobs. The time before that
// does not count, because no process worked on the job then.
func (j Job) Over(now, began time.Time) string {
	switch {
	case j.State == Sending:
		since := timing.Later(j.Since, began)
		limit := min(max(j.Fires().Sub(since), minSendTime), maxSendTime)
		if now.Sub(since) >= limit {
			return "the homeserver has sent the leave itself by now"
		}
	case !j.UnansweredSince.IsZero() && now.Sub(timing.Later(j.UnansweredSince, began)) >= maxUnanswered:
		return "the SFU has not said for an hour whether the participant is there"
	case now.Sub(timing.Later(j.Restarted, began)) >= max(j.Delay, minGiveUp):
		return "no restart has succeeded for as long as the delay"
	}
	return ""
}

// Resumed returns j for a process that begins to work on it after a time in which no
// process did. All actions of the job are due now. The job's counters are 0, and it has
// no lease.
func (j Job) Resumed(now time.Time) Job {
	j.NextLook, j.NextRestart, j.NextCancel = now, now, now
	j.Looks, j.Restarts, j.Sends, j.Cancels = 0, 0, 0, 0
	j.Lease = Lease{}
	return j
}
