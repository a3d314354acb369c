package leave

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Key is whose leave it is: a participant in a LiveKit room. There is at most
// one job for a key.
type Key struct {
	Room     sfu.Room
	Identity sfu.Identity
}

// State is where a job stands; see the drawing in the package's comment.
type State string

// The states. A job that has ended is no longer stored.
const (
	Waiting   State = "waiting"   // the participant has not been seen yet
	Connected State = "connected" // the participant is in the room
	Leaving   State = "leaving"   // it seems to be gone: a grace runs, then the SFU is asked
	Sending   State = "sending"   // it is gone: the leave is sent, the SFU asked before each try
	// Cancelling: the job has ended, but not what it replaced.
	Cancelling State = "cancelling"
)

// Job is one delegated leave. It is a value: the methods return what it
// becomes. Every time is by the clock of this process, which does not jump
// (package clock).
type Job struct {
	Key
	User    matrix.UserID // the owner; its server holds the delayed event
	DelayID matrix.DelayID
	Delay   time.Duration // after which the homeserver sends it, unless restarted
	// AcceptedAt orders delegations of one key: the later one counts.
	AcceptedAt time.Time

	State State
	Since time.Time // when the state was entered
	// Session is the participant.sid seen last, "" before any was. LeftSession
	// is the one known to have left, and ClearLeave that it did so for a
	// reason that leaves no doubt.
	Session     string
	LeftSession string
	ClearLeave  bool
	// Deadline is when a Waiting job gives up, when the grace of a Leaving one
	// is over, and when everything a Cancelling one could cancel has fired.
	Deadline time.Time

	// Restarted is when the delay last began anew: the homeserver sends the
	// event Delay after it.
	Restarted time.Time
	// RoomSeen is when the room was last known to be there, with the
	// participant in it or created for it. A room that was made later is not
	// the one that it was in.
	RoomSeen time.Time
	// SilentSince is since when the SFU has been asked in vain whether the
	// participant is there, the zero time when the last question was answered.
	SilentSince time.Time

	// NextRestart, NextLook (the SFU is asked, and a leave sent) and NextCancel
	// are when these things are due.
	NextRestart time.Time
	NextLook    time.Time
	NextCancel  time.Time
	Restarts    int // failed restarts in a row
	Looks       int // looks in a row that settled nothing
	Sends       int // failed sends in a row
	Cancels     int // failed cancels in a row

	// Replaces are earlier delegations of the key that are still to be
	// cancelled: each would empty the live member when it fires.
	Replaces []matrix.DelayID

	// Version counts the writes to the store; a write must know the last.
	Version uint64
	// Lease says who works on it, until when; the zero value says nobody.
	Lease Lease
}

// Lease lends a job to a keeper.
type Lease struct {
	Holder string
	Until  time.Time
}

// The bounds of a delay that may be delegated.
const (
	MinDelay = 500 * time.Millisecond
	MaxDelay = 24 * time.Hour
)

const (
	maxWait       = time.Hour   // nobody comes
	abortedWait   = time.Minute // one who failed, or came and went, may try again
	maxUnanswered = time.Hour   // of asking in vain about presence
	minGiveUp     = time.Hour   // without any successful restart
	maxSendTime   = time.Hour   // a send is tried no longer than this
	minSendTime   = time.Second // nor shorter
	firstLook     = time.Second // looks while waiting: doubled up to …
	maxLook       = time.Minute // … this
	firstRetry    = 200 * time.Millisecond
	askAgain      = time.Second // a decision that the SFU did not answer
)

// New returns the job of a delegation accepted now.
func New(key Key, user matrix.UserID, id matrix.DelayID, delay time.Duration, now time.Time) Job {
	j := Job{
		Key: key, User: user, DelayID: id, Delay: delay,
		AcceptedAt: now, Restarted: now,
		State: Waiting, Since: now,
		Deadline: now.Add(min(maxWait, delay)),
		NextLook: now,
	}
	j.NextRestart = now.Add(period(delay))
	return j
}

// After reports whether j was delegated after other: by time, then by id, so
// that all agree.
func (j Job) After(other Job) bool {
	if !j.AcceptedAt.Equal(other.AcceptedAt) {
		return j.AcceptedAt.After(other.AcceptedAt)
	}
	return j.DelayID.String() > other.DelayID.String()
}

// Due is when there is something to do.
func (j Job) Due() time.Time {
	due := j.NextLook
	if j.State != Sending && j.State != Cancelling {
		due = earlier(due, j.NextRestart)
	}
	if len(j.Replaces) > 0 {
		due = earlier(due, j.NextCancel)
	}
	return due
}

// Occupies reports whether the job's participant is, was just now, or is about
// to be back in its room, which the SFU has to know then.
func (j Job) Occupies() bool {
	return j.State == Connected || j.State == Leaving || j.State == Waiting && !j.RoomSeen.IsZero()
}

// LeaseTime is how long a keeper may hold the job.
func (j Job) LeaseTime() time.Duration { return min(10*time.Second, j.Delay/4) }

// period is how long after a successful restart the next is due: at 80 % of
// the delay, sooner for short ones so that several tries fit in (18 s → 4.5 s,
// 1 h → 48 min).
func period(d time.Duration) time.Duration {
	return min(longestPeriod(d), max(d/4, d-30*time.Second))
}

// longestPeriod is how far the period may stretch when the budget is short.
func longestPeriod(d time.Duration) time.Duration { return d / 5 * 4 }

// restartDue is since when a restart is due, however often it was postponed.
func (j Job) restartDue() time.Time {
	return earlier(j.NextRestart, j.Restarted.Add(period(j.Delay)))
}

// attempt is how long one restart may take; pause is how long to wait after
// the n-th failure in a row.
func attempt(d time.Duration) time.Duration { return min(5*time.Second, d/6) }

func pause(d time.Duration, n int) time.Duration {
	return min(firstRetry<<min(n-1, 10), min(10*time.Second, d/18))
}

// Load is how many restarts a second a job with that delay needs at least.
func Load(delay time.Duration) float64 { return 1 / longestPeriod(delay).Seconds() }

// fires is when the homeserver sends the event by itself.
func (j Job) fires() time.Time { return j.Restarted.Add(j.Delay) }

// notTooLate returns at, or the time of the last try when that comes before; but
// not now once more, by the milliseconds that stores keep.
func (j Job) notTooLate(now, at time.Time) time.Time {
	if lastTry := j.fires().Add(-2 * attempt(j.Delay)); lastTry.Sub(now) >= time.Millisecond {
		return earlier(at, lastTry)
	}
	return at
}
