package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// MinDelay and MaxDelay are the bounds for the delay of a delegation. If a client
// delegates a leave with a shorter delay, it gets the status 400. A longer delay counts
// as MaxDelay.
const (
	MinDelay = 500 * time.Millisecond
	MaxDelay = 24 * time.Hour
)

const (
	maxWait       = time.Hour              // how long a job waits for its participant to join; less if its delay is shorter
	abortedWait   = time.Minute            // how long a client may take to join again after its connection failed or it left
	maxUnanswered = time.Hour              // how long a job goes on if the SFU does not say who is there
	minGiveUp     = time.Hour              // how long a job goes on without a successful restart; longer if its delay is longer
	maxSendTime   = time.Hour              // how long the keeper repeats a failed send at most
	minSendTime   = time.Second            // how long the keeper repeats a failed send at least
	firstLook     = time.Second            // the pause after the first question about a participant who has not come; later pauses double, up to maxLook
	maxLook       = time.Minute            // the longest pause between two questions about a participant who has not come
	firstRetry    = 200 * time.Millisecond // the pause after the first failed request; it doubles with each further failure
	askAgain      = time.Second            // the pause before the keeper asks the SFU again, if a decision needs the answer
)

// Tick is the time between two searches of the keeper for due jobs. It is this short
// because a job with the shortest delay needs a restart every 125 ms, a quarter of
// MinDelay ([Period]).
const Tick = 50 * time.Millisecond

// LeaseTime returns how long a keeper may lease the job: a fifth of the delay, and at
// most 10 s. That is enough for one request ([Attempt]: a sixth of the delay, and at
// most 5 s) and the write of its result. If the keeper is killed, another keeper
// restarts the leave only after the lease has ended. If the delay is short, 45 % of the
// delay have passed by then: 25 % are the [Period], and 20 % are the lease.
func (j Job) LeaseTime() time.Duration { return min(10*time.Second, j.Delay/5) }

// Period returns how long after a successful restart the next one is due. For a delay
// of more than 150 s, that is 80 % of the delay. For a shorter delay it is less than 80
// %, so that there is time for several tries. For example, it is 4.5 s for 18 s, 30 s
// for 1 min, and 48 min for 1 h. The keeper shortens the period at random by up to a
// tenth (Keeper.jittered).
func Period(d time.Duration) time.Duration {
	return min(longestPeriod(d), max(d/4, d-30*time.Second))
}

// longestPeriod returns the longest allowed time between two restarts: 80 % of the
// delay. For a delay of less than 150 s, [Period] is shorter. The time between two
// restarts is then longer than Period only if the homeserver allows too few requests.
func longestPeriod(d time.Duration) time.Duration { return d / 5 * 4 }

// RestartDue returns the time at which the next restart first became due. If the keeper
// has postponed the restart, NextRestart is later.
func (j Job) RestartDue() time.Time {
	return timing.Earlier(j.NextRestart, j.Restarted.Add(Period(j.Delay)))
}

// Attempt returns how long one request about a job may take. d is the job's delay.
func Attempt(d time.Duration) time.Duration { return min(5*time.Second, d/6) }

// pause returns how long a job waits after its n-th failure in a row. d is the job's
// delay. The pause is 200 ms at first, and doubles with each failure. It is at most 10
// s or 1/18 of d, whichever is less.
func pause(d time.Duration, n int) time.Duration {
	return min(firstRetry<<min(n-1, 10), min(10*time.Second, d/18))
}

// Load returns how many restarts per second a job with the given delay needs at least.
func Load(delay time.Duration) float64 { return 1 / longestPeriod(delay).Seconds() }

// Fires returns the time at which the homeserver sends the leave by itself, if nobody
// restarts the delay before that time.
func (j Job) Fires() time.Time { return j.Restarted.Add(j.Delay) }

// notTooLate returns the time at which the keeper must do an action that is planned for
// the time at. The keeper must do it at the time of the last try at the latest, which is
// 2 * [Attempt] before the leave fires. So notTooLate returns the earlier one of these
// two times. But if the last try is less than a millisecond after now, or is over,
// notTooLate returns the time at. Stores cut times to milliseconds, so an action that is
// planned for the time of the last try would then be due immediately.
func (j Job) notTooLate(now, at time.Time) time.Time {
	if lastTry := j.Fires().Add(-2 * Attempt(j.Delay)); lastTry.Sub(now) >= time.Millisecond {
		return timing.Earlier(at, lastTry)
	}
	return at
}
