package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// connected returns j in the state Connected, with the given session in the room. The
// next restart of the delay is due now.
func (j Job) connected(now time.Time, session string) Job {
	j = j.enter(Connected, now)
	j.Session, j.LeftSession, j.ClearLeave = session, "", false
	j.NextRestart, j.Restarts, j.Sends = now, 0, 0
	j.RoomSeen, j.RoomLost, j.Refused, j.Unrecorded = now, false, time.Time{}, false
	return j.settled(now)
}

// leaving returns j in the state Leaving, which means that the participant is gone. The
// argument grace is how long, from now on, the participant may take to come back.
func (j Job) leaving(now time.Time, grace time.Duration) Job {
	j = j.enter(Leaving, now)
	j.Looks = 0
	j.Deadline = now.Add(grace)
	j.NextLook = j.Deadline
	return j
}

// sending returns j in the state Sending. The send is due now.
func (j Job) sending(now time.Time) Job {
	j = j.enter(Sending, now)
	j.Sends = 0
	j.NextLook = now
	return j
}

// enter returns j in the state s. If j was in another state before, its time in the
// state s begins now.
func (j Job) enter(s State, now time.Time) Job {
	if j.State != s {
		j.State, j.Since = s, now
	}
	return j
}

// settled returns j for a participant who is in the room. The keeper no longer plans to
// ask the SFU about this participant alone, because it regularly asks about the whole
// room.
func (j Job) settled(now time.Time) Job {
	j.Looks = 0
	j.NextLook = never
	return j
}

// askNow returns a copy of j for which the keeper must ask the SFU now. But a job in
// the state Sending stays as it is: there, NextLook is the time of the next send, which
// may have to wait for the homeserver. The keeper asks the SFU before each send anyway.
func (j Job) askNow(now time.Time) Job {
	if j.State == Sending {
		return j
	}
	j.NextLook = timing.Earlier(j.NextLook, now)
	return j
}

// lookPause returns how long the keeper waits before it asks the SFU again, after n
// questions in a row that led to no decision.
func lookPause(n int) time.Duration {
	return min(firstLook<<min(n-1, 6), maxLook)
}
