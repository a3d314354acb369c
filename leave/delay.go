package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// The bounds on a delay that may be delegated.
const (
	MinDelay = 500 * time.Millisecond
	MaxDelay = 24 * time.Hour
)

const (
	maxWait       = time.Hour   // for how long nobody may join
	abortedWait   = time.Minute // a client that failed or left may try again
	maxUnanswered = time.Hour   // for how long the SFU may not say who is there
	minGiveUp     = time.Hour   // for how long no restart may succeed
	maxSendTime   = time.Hour   // the longest time for retrying a send
	minSendTime   = time.Second // the shortest time for it
	firstLook     = time.Second // the first look while waiting; doubled up to …
	maxLook       = time.Minute // … this
	firstRetry    = 200 * time.Millisecond
	askAgain      = time.Second // the next question, if the SFU did not answer one that a decision needs
)

// Tick is the time between two searches for due jobs. A job with the shortest
// delay is restarted every 125 ms.
const Tick = 50 * time.Millisecond

// LeaseTime is how long a keeper may hold the job. It is a little longer than one
// request ([Attempt]) and its write. If the keeper is killed, no other restarts the
// job before the lease ends: with a short delay's [Period], a quarter, that is when
// 45 % of the delay have passed.
func (j Job) LeaseTime() time.Duration { return min(10*time.Second, j.Delay/5) }

// Period returns how long after a successful restart the next one is due: 80 %
// of the delay. It is less for a short delay, so that several tries fit in (18
// s → 4.5 s, 1 h → 48 min). The keeper shortens it by up to a tenth as jitter
// (Keeper.jittered).
func Period(d time.Duration) time.Duration {
	return min(longestPeriod(d), max(d/4, d-30*time.Second))
}

// longestPeriod returns the longest time between two restarts, for when the
// budget is short.
func longestPeriod(d time.Duration) time.Duration { return d / 5 * 4 }

// RestartDue returns when a restart became due, however often it was postponed.
func (j Job) RestartDue() time.Time {
	return timing.Earlier(j.NextRestart, j.Restarted.Add(Period(j.Delay)))
}

// Attempt returns how long one request about a job with that delay may take.
func Attempt(d time.Duration) time.Duration { return min(5*time.Second, d/6) }

// pause is how long to wait after the n-th failure in a row.
func pause(d time.Duration, n int) time.Duration {
	return min(firstRetry<<min(n-1, 10), min(10*time.Second, d/18))
}

// Load returns how many restarts a second a job with that delay needs at least.
func Load(delay time.Duration) float64 { return 1 / longestPeriod(delay).Seconds() }

// Fires returns when the homeserver will send the event by itself.
func (j Job) Fires() time.Time { return j.Restarted.Add(j.Delay) }

// notTooLate returns at, or the time of the last possible try if that is
// earlier. It is at least a little after now, because stores keep milliseconds.
func (j Job) notTooLate(now, at time.Time) time.Time {
	if lastTry := j.Fires().Add(-2 * Attempt(j.Delay)); lastTry.Sub(now) >= time.Millisecond {
		return timing.Earlier(at, lastTry)
	}
	return at
}
