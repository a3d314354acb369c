package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

// Reported returns j after the webhook e. A webhook is only a hint: it may come
// twice, late, in any order, or not at all.
func (j Job) Reported(now time.Time, e sfu.Event, grace Grace) Job {
	switch e.Kind {
	case sfu.KindJoined:
		return j.Joined(now, e.Session)
	case sfu.KindLeft:
		return j.Left(now, e.Session, e.Reason, grace)
	case sfu.KindAborted:
		return j.aborted(now, e.Session, e.Reason, grace)
	}
	return j
}

// Joined returns j after a webhook that session has joined the room.
func (j Job) Joined(now time.Time, session string) Job {
	switch {
	case j.State == Cancelling:
		return j
	case session == "" || session == j.LeftSession:
		// The webhook names no session, or is older than the webhook that its
		// session has left.
		return j.askNow(now)
	case j.State == Connected && session == j.Session:
		return j
	case j.State == Connected:
		// Only the SFU knows which of the two sessions is the later one.
		return j.askNow(now)
	}
	return j.connected(now, session)
}

// Left returns j after a webhook that session has left the room for reason.
func (j Job) Left(now time.Time, session string, reason sfu.Reason, grace Grace) Job {
	if j.State == Cancelling {
		return j
	}
	if j.State == Waiting && session != "" {
		// The session was in the room, although no webhook reported that it joined.
		j.LeftSession = session
		j.Deadline = timing.Earlier(j.Deadline, now.Add(abortedWait))
	}
	if session == "" || session != j.Session || j.State != Connected {
		return j.askNow(now)
	}
	j.LeftSession, j.ClearLeave = session, reason == sfu.ReasonClear
	// The SFU is asked at once, because another session of the participant may be
	// in the room already.
	return j.leaving(now, grace.of(reason)).askNow(now)
}

// aborted returns j after a webhook that the session never got a media connection.
func (j Job) aborted(now time.Time, session string, reason sfu.Reason, grace Grace) Job {
	if j.State != Waiting {
		return j.Left(now, session, reason, grace)
	}
	j.Deadline = timing.Earlier(j.Deadline, now.Add(abortedWait))
	return j.askNow(now)
}
