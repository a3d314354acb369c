package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// The bounds on a delay that may be delegated. A client with a shorter delay gets
// 400; a longer delay counts as MaxDelay.
const (
	MinDelay = 500 * time.Millisecond
	MaxDelay = 24 * time.Hour
)

const (
	maxWait       = time.Hour              // how long a job waits for its participant to join, at most its delay; then the leave is sent
	abortedWait   = time.Minute            // how long a client that failed or left may take to try again
	maxUnanswered = time.Hour              // how long a job goes on while the SFU does not say who is there
	minGiveUp     = time.Hour              // how long a job goes on at least without a successful restart
	maxSendTime   = time.Hour              // the longest time for retrying a send
	minSendTime   = time.Second            // the shortest time for retrying a send
	firstLook     = time.Second            // the pause after the first look for somebody who has not come; it doubles up to maxLook
	maxLook       = time.Minute            // the longest pause between two looks
	firstRetry    = 200 * time.Millisecond // the pause after the first failed request; it doubles
	askAgain      = time.Second            // the pause before the SFU is asked again, if a decision needs the answer
)

// Tick is the time between two searches for due jobs. It is short because a job
// with the shortest delay is restarted every 125 ms.
const Tick = 50 * time.Millisecond

// LeaseTime returns how long a keeper may hold the job. It is a little longer than
// one request ([Attempt]) and the write of its result. If the keeper is killed, no
// other keeper restarts the job before the lease ends. For a short delay, that is
// when 45 % of the delay have passed: a [Period] of 25 %, and the lease of 20 %.
func (j Job) LeaseTime() time.Duration { return min(10*time.Second, j.Delay/5) }

// Period returns how long after a successful restart the next one is due: 80 %
// of the delay. It is less for a short delay, so that several tries fit in (18
// s → 4.5 s, 1 h → 48 min). The keeper shortens it by up to a tenth as jitter
// (Keeper.jittered).
func Period(d time.Duration) time.Duration {
	return min(longestPeriod(d), max(d/4, d-30*time.Second))
}

// longestPeriod returns the longest time between two restarts. Restarts come so
// seldom only if the homeserver allows too few requests.
func longestPeriod(d time.Duration) time.Duration { return d / 5 * 4 }

// RestartDue returns when the next restart first became due, before it was
// postponed.
func (j Job) RestartDue() time.Time {
	return timing.Earlier(j.NextRestart, j.Restarted.Add(Period(j.Delay)))
}

// Attempt returns how long one request about a job with the delay d may take.
func Attempt(d time.Duration) time.Duration { return min(5*time.Second, d/6) }

// pause returns how long a job with the delay d waits after its n-th failure in
// a row: 200 ms, then twice as long each time, up to 10 s or 1/18 of d, whichever is
// less.
func pause(d time.Duration, n int) time.Duration {
	return min(firstRetry<<min(n-1, 10), min(10*time.Second, d/18))
}

// Load returns the least number of restarts a second that a job with that delay
// needs.
func Load(delay time.Duration) float64 { return 1 / longestPeriod(delay).Seconds() }

// Fires returns when the homeserver will send the event by itself.
func (j Job) Fires() time.Time { return j.Restarted.Add(j.Delay) }

// notTooLate returns at, or the time of the last possible try if that is
// earlier. A last possible try less than a millisecond after now does not count,
// because stores cut times to milliseconds, and it would be due at once.
func (j Job) notTooLate(now, at time.Time) time.Time {
	if lastTry := j.Fires().Add(-2 * Attempt(j.Delay)); lastTry.Sub(now) >= time.Millisecond {
		return timing.Earlier(at, lastTry)
	}
	return at
}
