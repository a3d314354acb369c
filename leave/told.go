package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// Told returns j after the answer a of the SFU. If the question is older than the
// session, the answer says nothing about the session. If a question was due, the
// keeper then asks again after askAgain. If the answer is in grave doubt, the
// keeper asks the SFU again at once.
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
		return j.present(now, a.Session)
	}
	return j.missing(now, a, g)
}

// present returns j after an answer of the SFU that session is in the room.
func (j Job) present(now time.Time, session string) Job {
	if j.State == Cancelling {
		return j
	}
	j = j.answered()
	if (j.State == Leaving || j.State == Sending || j.State == Waiting) && session == j.LeftSession {
		// The SFU has not removed the old session yet.
		return j.absent(now, 0, 0)
	}
	if j.State == Connected && session == j.Session {
		j.Unrecorded = false
		return j.settled(now)
	}
	return j.connected(now, session)
}

// found returns j after the participant's node has said that it holds a session of
// the participant. session is the participant's session in the SFU's record, or ""
// if there is no record. Without a record, found assumes that the node holds
// j.Session. But if a webhook reported that j.Session has left, the node holds a
// new session, whose id is unknown.
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

// unreachable returns j after the SFU has said that no node holds the session. In
// this case the SFU's record does not show whether the session is over. After two
// such answers the session's node counts as gone. Then the participant gets time to
// come back.
func (j Job) unreachable(now time.Time, a Answer, g Grace) Job {
	j = j.answered()
	switch {
	case j.State != Connected:
		j = j.refusedBy(a)
		return j.absent(now, 0, a.Outage)
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

// missing returns j after the SFU has said that no session is on record. If a.Node
// is NodeRefuses, the SFU has also said that no node holds a session. The graces
// count from the start of the question. After NodeRefuses, the next question begins
// refusalTime before the grace ends. So even a slow answer comes in time.
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
		next = j.forgotten(now, a.RoomMade, g.Outage-took)
	} else {
		next = j.absent(now, g.Confirm-took, a.Outage)
	}
	if a.Node == NodeRefuses && next.State == Leaving && j.State != Leaving {
		next.NextLook = next.Deadline.Add(-refusalTime)
	}
	return next
}

// refusedBy returns j with Refused set to the time of the question, if a says that
// no node holds the session.
func (j Job) refusedBy(a Answer) Job {
	if a.Node == NodeRefuses {
		j.Refused = a.Asked
	}
	return j
}

// absent returns j after an answer of the SFU that the participant is not in the
// room. If no webhook reported that the participant left, the keeper asks again
// after confirm (Grace.Confirm, usually 15 s). Then it sends the leave. outage is
// the time that clients still have to reconnect after an outage of the SFU.
func (j Job) absent(now time.Time, confirm, outage time.Duration) Job {
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
			// The decision to send is older than the outage. After an outage every
			// participant has time to come back.
			return j.leaving(now, outage)
		}
	}
	return j
}

// forgotten returns j after the SFU has said that the present room was created at
// remade, or that there is no room. So the participant's room is gone, and the
// participant has the time outage to come back. From now on the present room counts
// as the participant's room, even if the SFU's clock is ahead.
func (j Job) forgotten(now, remade time.Time, outage time.Duration) Job {
	j = j.answered()
	j.RoomSeen, j.RoomLost = timing.Later(now, remade), true
	if j.State == Waiting {
		j.Deadline = timing.Later(j.Deadline, now.Add(outage))
		return j.waiting(now)
	}
	return j.leaving(now, outage)
}

// waiting returns j with the time of the next question about a participant who has
// not come.
func (j Job) waiting(now time.Time) Job {
	j.Looks++
	// LiveKit may take refusalTime to answer, so the last question comes that long
	// before the deadline.
	last := j.Deadline.Add(-refusalTime)
	if !now.Before(last) {
		last = j.Deadline
	}
	j.NextLook = timing.Earlier(now.Add(lookPause(j.Looks)), last)
	return j
}

// Unanswered returns j after the SFU did not answer. outage is how long clients may
// take to reconnect once the SFU answers again. If the participant's client said
// that it leaves, and trusted is true, the leave is sent anyway. trusted says that
// the stored job is still the same. So nobody has reported that the participant is
// back.
func (j Job) Unanswered(now time.Time, outage time.Duration, trusted bool) Job {
	j = j.UnansweredFrom(now)
	j.Looks++
	if j.State == Waiting && j.Looks == 1 {
		// The client scheduled the event some time ago, and may take long to join.
		// So the next restart of the delay is due now.
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

// UnansweredFrom returns j with UnansweredSince set: from since on, the SFU has
// not said whether the participant is there. If UnansweredSince is set already, it
// does not change.
func (j Job) UnansweredFrom(since time.Time) Job {
	if j.UnansweredSince.IsZero() {
		j.UnansweredSince = timing.Later(since, j.AcceptedAt)
	}
	return j
}

// answered returns j after the SFU has said whether the participant is there.
func (j Job) answered() Job {
	j.UnansweredSince = time.Time{}
	return j
}
