package leave

import "time"

// The bounds of a delay that may be delegated.
const (
	MinDelay = 500 * time.Millisecond
	MaxDelay = 24 * time.Hour
)

const (
	maxWait       = time.Hour   // nobody comes
	abortedWait   = time.Minute // one who failed, or came and went, may try again
	maxUnanswered = time.Hour   // without an answer about presence
	minGiveUp     = time.Hour   // without any successful restart
	maxSendTime   = time.Hour   // a send is tried no longer than this
	minSendTime   = time.Second // nor shorter
	firstLook     = time.Second // looks while waiting: doubled up to …
	maxLook       = time.Minute // … this
	firstRetry    = 200 * time.Millisecond
	askAgain      = time.Second // a decision that the SFU did not answer
)

// Tick is how often due jobs are looked for: the shortest delay has its restart
// every 125 ms.
const Tick = 50 * time.Millisecond

// LeaseTime is how long a keeper may hold the job.
func (j Job) LeaseTime() time.Duration { return min(10*time.Second, j.Delay/4) }

// Period is how long after a successful restart the next is due: at 80 % of
// the delay, sooner for short ones so that several tries fit in (18 s → 4.5 s,
// 1 h → 48 min).
func Period(d time.Duration) time.Duration {
	return min(longestPeriod(d), max(d/4, d-30*time.Second))
}

// longestPeriod is how far the period may stretch when the budget is short.
func longestPeriod(d time.Duration) time.Duration { return d / 5 * 4 }

// RestartDue is since when a restart is due, however often it was postponed.
func (j Job) RestartDue() time.Time {
	return earlier(j.NextRestart, j.Restarted.Add(Period(j.Delay)))
}

// Attempt is how long one request about a job with that delay may take.
func Attempt(d time.Duration) time.Duration { return min(5*time.Second, d/6) }

// pause is how long to wait after the n-th failure in a row.
func pause(d time.Duration, n int) time.Duration {
	return min(firstRetry<<min(n-1, 10), min(10*time.Second, d/18))
}

// Load is how many restarts a second a job with that delay needs at least.
func Load(delay time.Duration) float64 { return 1 / longestPeriod(delay).Seconds() }

// Fires is when the homeserver sends the event by itself.
func (j Job) Fires() time.Time { return j.Restarted.Add(j.Delay) }

// notTooLate returns at, or the time of the last try when that comes before; but
// not now once more, by the milliseconds that stores keep.
func (j Job) notTooLate(now, at time.Time) time.Time {
	if lastTry := j.Fires().Add(-2 * Attempt(j.Delay)); lastTry.Sub(now) >= time.Millisecond {
		return earlier(at, lastTry)
	}
	return at
}
