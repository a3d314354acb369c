package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// The bounds on a delay that may be delegated. A client that delegates a shorter
// delay gets the status 400. A longer delay counts as MaxDelay.
const (
	MinDelay = 500 * time.Millisecond
	MaxDelay = 24 * time.Hour
)

const (
	maxWait       = time.Hour              // the longest time that a job waits for its participant to join, unless its delay is shorter
	abortedWait   = time.Minute            // how long a client may take to try again after its connection failed or it left
	maxUnanswered = time.Hour              // how long a job goes on while the SFU does not say who is there
	minGiveUp     = time.Hour              // how long a job goes on without a successful restart, even if its delay is shorter
	maxSendTime   = time.Hour              // the longest time for which a failed send is tried again
	minSendTime   = time.Second            // the shortest time for which a failed send is tried again
	firstLook     = time.Second            // the pause after the first question about a participant who has not come; it doubles up to maxLook
	maxLook       = time.Minute            // the longest pause between two such questions
	firstRetry    = 200 * time.Millisecond // the pause after the first failed request; it doubles with each failure
	askAgain      = time.Second            // the pause before the SFU is asked again, if a decision needs the answer
)

// Tick is the time between two searches of the keeper for due jobs. It is short
// because a job with the shortest delay is restarted every 125 ms.
const Tick = 50 * time.Millisecond

// LeaseTime returns how long a keeper may hold the job: a fifth of the delay, 10 s
// at most. That is a little longer than one request ([Attempt]) and the write of
// its result. If the keeper is killed, another keeper restarts the job only after
// the lease has ended. With a short delay, 45 % of the delay have passed then: 25 %
// are the [Period], and 20 % are the lease.
func (j Job) LeaseTime() time.Duration { return min(10*time.Second, j.Delay/5) }

// Period returns how long after a successful restart the next one is due. A delay
// of more than 150 s has a period of 80 % of the delay. For a shorter delay it is
// less than 80 %, so that several tries fit into the delay. For example, it is 4.5
// s for 18 s, 30 s for 1 min, and 48 min for 1 h. The keeper shortens the period by
// up to a tenth as jitter (Keeper.jittered).
func Period(d time.Duration) time.Duration {
	return min(longestPeriod(d), max(d/4, d-30*time.Second))
}

// longestPeriod returns the longest time between two restarts: 80 % of the delay. A
// short delay comes near that time only if the homeserver allows too few requests.
func longestPeriod(d time.Duration) time.Duration { return d / 5 * 4 }

// RestartDue returns when the next restart became due at first. If it was
// postponed, NextRestart is later.
func (j Job) RestartDue() time.Time {
	return timing.Earlier(j.NextRestart, j.Restarted.Add(Period(j.Delay)))
}

// Attempt returns how long one request about a job with the delay d may take.
func Attempt(d time.Duration) time.Duration { return min(5*time.Second, d/6) }

// pause returns how long a job with the delay d waits after its n-th failure in a
// row. The pause is 200 ms at first, and doubles with each failure. It is at most
// 10 s or 1/18 of d, whichever is less.
func pause(d time.Duration, n int) time.Duration {
	return min(firstRetry<<min(n-1, 10), min(10*time.Second, d/18))
}

// Load returns the least number of restarts a second that a job with the given
// delay needs.
func Load(delay time.Duration) float64 { return 1 / longestPeriod(delay).Seconds() }

// Fires returns when the homeserver will send the leave by itself, unless the delay
// is restarted before.
func (j Job) Fires() time.Time { return j.Restarted.Add(j.Delay) }

// notTooLate returns the earlier of two times: at, and the time of the last
// possible try. The last possible try is two attempts ([Attempt]) before the leave
// fires. If that is less than a millisecond after now, notTooLate returns at.
// Stores cut times to milliseconds, so that try would be due at once.
func (j Job) notTooLate(now, at time.Time) time.Time {
	if lastTry := j.Fires().Add(-2 * Attempt(j.Delay)); lastTry.Sub(now) >= time.Millisecond {
		return timing.Earlier(at, lastTry)
	}
	return at
}
