package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// Told applies an answer of the SFU. If the question is older than the session,
// the answer says nothing about it, and a due look is repeated in a while. If
// the answer is in doubt, the SFU is asked again at once.
func (j Job) Told(now time.Time, a Answer, g Grace) Job {
	switch {
	case j.State == Cancelling:
		return j
	case j.State == Connected && a.Asked.Before(j.RoomSeen):
		if !j.NextLook.After(now) {
			j.NextLook = now.Add(askAgain)
		}
		return j
	case j.Doubts(a) == GraveDoubt:
		return j.askNow(now)
	case a.Node == NodeAnswers:
		return j.found(now, a.Session)
	case j.isRefused(a) && j.isAsBefore(a):
		return j.unreachable(now, a, g)
	case a.Session != "":
		return j.Present(now, a.Session)
	}
	return j.missing(now, a, g)
}

// Present applies an answer of the SFU: session is in the room.
func (j Job) Present(now time.Time, session string) Job {
	if j.State == Cancelling {
		return j
	}
	j = j.answered()
	if (j.State == Leaving || j.State == Sending || j.State == Waiting) && session == j.LeftSession {
		// The SFU has not removed the old session yet.
		return j.Absent(now, 0, 0)
	}
	if j.State == Connected && session == j.Session {
		j.Unrecorded = false
		return j.settled(now)
	}
	return j.connected(now, session)
}

// found applies an answer of the participant's node: it holds a session.
// session is the session on record, "" if there is none. If a session was
// reported to have left, it is unknown which one has come since.
func (j Job) found(now time.Time, session string) Job {
	unrecorded := session == ""
	j = j.answered()
	j.Refused = time.Time{}
	if session == "" && j.Session != j.LeftSession {
		session = j.Session
	}
	if j.State == Connected && session == j.Session {
		j = j.settled(now)
	} else {
		j = j.connected(now, session)
	}
	j.Unrecorded = unrecorded
	return j
}

// unreachable applies an answer of the SFU: no node holds the session, and the
// record does not say whether it is over. After two such answers its node is
// gone, and all its participants have time to come back.
func (j Job) unreachable(now time.Time, a Answer, g Grace) Job {
	j = j.answered()
	switch {
	case j.State != Connected:
		j = j.refusedBy(a)
		return j.Absent(now, 0, a.Outage)
	case !j.NodeIsGone(a):
		if j.Refused.IsZero() {
			j.Refused = a.Asked
		}
		j.NextLook = j.Refused.Add(refusalGap)
		return j
	}
	j = j.refusedBy(a)
	j.LeftSession, j.ClearLeave = "", false
	return j.leaving(now, g.Outage)
}

// missing applies an answer of the SFU: no session is on record, and no node
// holds one, if asked. The graces count from the start of the question. The
// last question begins early enough for a refusal before their end.
func (j Job) missing(now time.Time, a Answer, g Grace) Job {
	took := now.Sub(a.Asked)
	if a.Node == NodeRefuses {
		j = j.refusedBy(a)
		g.Confirm = max(g.Confirm, refusalGap+refusalTime)
	}
	if j.State == Leaving {
		j.Looks++
	}
	var next Job
	if j.hasLostRoom(a) {
		next = j.Forgotten(now, a.RoomMade, g.Outage-took)
	} else {
		next = j.Absent(now, g.Confirm-took, a.Outage)
	}
	if a.Node == NodeRefuses && next.State == Leaving && j.State != Leaving {
		next.NextLook = next.Deadline.Add(-refusalTime)
	}
	return next
}

// refusedBy records that no node holds the session.
func (j Job) refusedBy(a Answer) Job {
	if a.Node == NodeRefuses {
		j.Refused = a.Asked
	}
	return j
}

// Absent applies an answer of the SFU: the participant is not in the room.
// confirm is the wait for a second look if no leaving was reported. outage is
// how much longer clients may take to reconnect after an outage of the SFU.
func (j Job) Absent(now time.Time, confirm, outage time.Duration) Job {
	j = j.answered()
	switch j.State {
	case Waiting:
		if !now.Before(j.Deadline) {
			return j.sending(now)
		}
		return j.waiting(now)
	case Connected:
		j.LeftSession, j.ClearLeave = "", false
		return j.leaving(now, max(confirm, outage))
	case Leaving:
		if !j.ClearLeave {
			j.Deadline = timing.Later(j.Deadline, now.Add(outage))
		}
		if now.Before(j.Deadline) {
			j.NextLook = j.Deadline
			return j
		}
		return j.sending(now)
	case Sending:
		if outage > 0 && !j.ClearLeave {
			// The decision is from before the outage: everybody has time to come
			// back.
			return j.leaving(now, outage)
		}
	}
	return j
}

// Forgotten applies an answer of the SFU: the room was created at remade, so it
// is not the participant's. The SFU has dropped everybody, and they have outage
// to come back. It applies once per room, even if the SFU's clock is ahead.
func (j Job) Forgotten(now, remade time.Time, outage time.Duration) Job {
	j = j.answered()
	j.RoomSeen, j.RoomLost = timing.Later(now, remade), true
	if j.State == Waiting {
		j.Deadline = timing.Later(j.Deadline, now.Add(outage))
		return j.waiting(now)
	}
	return j.leaving(now, outage)
}

// waiting plans the next look for a participant who has not come.
func (j Job) waiting(now time.Time) Job {
	j.Looks++
	last := j.Deadline.Add(-refusalTime) // early enough for a refusal in time
	if !now.Before(last) {
		last = j.Deadline
	}
	j.NextLook = timing.Earlier(now.Add(lookPause(j.Looks)), last)
	return j
}

// Unanswered records that the SFU did not answer. outage is how long clients
// may take to reconnect once it does. A leave that is in no doubt is sent
// anyway. trusted says that nothing contradicts the job.
func (j Job) Unanswered(now time.Time, outage time.Duration, trusted bool) Job {
	j = j.UnansweredFrom(now)
	j.Looks++
	if j.State == Waiting && j.Looks == 1 {
		// The client scheduled the event some time ago, and may not appear on the SFU
		// soon.
		j.NextRestart = now
	}
	switch {
	case j.State == Cancelling:
	case j.State == Sending && j.ClearLeave && trusted:
	case j.State == Sending:
		j = j.enter(Leaving, now)
		j.Deadline = now.Add(askAgain)
		j.NextLook = j.Deadline
	case j.State == Leaving && j.ClearLeave && trusted:
		return j.sending(now)
	case j.State == Leaving && !j.ClearLeave:
		j.Deadline = now.Add(max(askAgain, outage))
		j.NextLook = j.Deadline
	default:
		j.NextLook = now.Add(lookPause(j.Looks))
	}
	return j
}

// UnansweredFrom records that the SFU has not said since the time since whether
// the participant is there.
func (j Job) UnansweredFrom(since time.Time) Job {
	if j.UnansweredSince.IsZero() {
		j.UnansweredSince = timing.Later(since, j.AcceptedAt)
	}
	return j
}

func (j Job) answered() Job {
	j.UnansweredSince = time.Time{}
	return j
}
