package leave

import "time"

// answered and unheard note that the SFU has, or has not, said who is there.
func (j Job) answered() Job {
	j.SilentSince = time.Time{}
	return j
}

func (j Job) unheard(now time.Time) Job {
	if j.SilentSince.IsZero() {
		j.SilentSince = now
	}
	return j
}

// Over says why the job ends without an action, "" if it does not. Before
// began nobody could do anything for it: that time does not count.
func (j Job) Over(now, began time.Time) string {
	switch {
	case j.State == Sending:
		since := later(j.Since, began)
		limit := min(max(j.fires().Sub(since), minSendTime), maxSendTime)
		if now.Sub(since) >= limit {
			return "the homeserver has sent the leave itself by now"
		}
	case !j.SilentSince.IsZero() && now.Sub(later(j.SilentSince, began)) >= maxUnanswered:
		return "the SFU has not said for an hour whether the participant is there"
	case now.Sub(later(j.Restarted, began)) >= max(j.Delay, minGiveUp):
		return "no restart has succeeded for as long as the delay"
	}
	return ""
}

// Resumed is for a job that nobody has looked after for a time: everything that
// can be done for it is due now.
func (j Job) Resumed(now time.Time) Job {
	j.NextLook, j.NextRestart, j.NextCancel = now, now, now
	j.Looks, j.Restarts, j.Sends, j.Cancels = 0, 0, 0, 0
	j.Lease = Lease{}
	return j
}

// over says why a job ends without an action, "" if it does not. While the SFU
// is away nobody is asked about, which is as if everybody were, in vain.
func (k *Keeper) over(j Job, now time.Time) string {
	if down, since := k.watch.state(); down {
		j = j.unheard(later(since, j.AcceptedAt))
	}
	return j.Over(now, time.UnixMilli(k.began.Load()))
}
