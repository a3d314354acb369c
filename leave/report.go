package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/sfu"
)

// Reported returns j as the webhook e changes it. A webhook is only a hint: it may come
// twice, late, in the wrong order, or not at all.
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

// Joined returns j after a webhook that says that a session has joined the room.
// session is the participant.sid of this session.
func (j Job) Joined(now time.Time, session string) Job {
	switch {
	case j.State == Cancelling:
		return j
	case session == "" || session == j.LeftSession:
		// Either the webhook names no session, or it is late: this session has already
		// left.
		return j.askNow(now)
	case j.State == Connected && session == j.Session:
		return j
	case j.State == Connected:
		// Two sessions have joined. Only the SFU knows which one joined later.
		return j.askNow(now)
	}
	return j.connected(now, session)
}

// Left returns j after a webhook that says that a session has left the room. reason is
// the reason in the webhook.
func (j Job) Left(now time.Time, session string, reason sfu.Reason, grace Grace) Job {
	if j.State == Cancelling {
		return j
	}
	if j.State == Waiting && session != "" {
		// The session was in the room, although no webhook has said that it joined.
		j.LeftSession = session
		j.Deadline = timing.Earlier(j.Deadline, now.Add(abortedWait))
	}
	if session == "" || session != j.Session || j.State != Connected {
		return j.askNow(now)
	}
	j.LeftSession, j.ClearLeave = session, reason == sfu.ReasonClear
	// The keeper must ask the SFU now, because another session of the participant may
	// already be in the room.
	return j.leaving(now, grace.of(reason)).askNow(now)
}

// aborted records in j that a webhook has said that a client could not connect its
// media, and returns the changed j. The argument session is the client's session.
func (j Job) aborted(now time.Time, session string, reason sfu.Reason, grace Grace) Job {
	if j.State != Waiting {
		return j.Left(now, session, reason, grace)
	}
	j.Deadline = timing.Earlier(j.Deadline, now.Add(abortedWait))
	return j.askNow(now)
}
