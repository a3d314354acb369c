package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

// Told returns j after the SFU's answer a. Two kinds of answers do not count:
//
//   - An answer to a question that the keeper asked before the session began. If the
//     next question is due already, Told puts it off by askAgain.
//   - An answer in grave doubt (see [Job.Doubts]). The keeper asks again now.
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

// present records in j that the SFU has answered that the given session is in the room,
// and returns the changed j.
func (j Job) present(now time.Time, session string) Job {
	if j.State == Cancelling {
		return j
	}
	j = j.answered()
	if (j.State == Leaving || j.State == Sending || j.State == Waiting) && session == j.LeftSession {
		// The SFU still has the old session, which has left.
		return j.absent(now, 0, 0)
	}
	if j.State == Connected && session == j.Session {
		j.Unrecorded = false
		return j.settled(now)
	}
	return j.connected(now, session)
}

// found records in j that the participant's node has said that it holds a session of
// the participant, and returns the changed j. The argument session is the session in
// the SFU's record. It is "" if there is no record. Then found assumes that the node
// holds j.Session. But if a webhook said that j.Session has left, the node holds a new
// session, whose id is unknown.
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

// unreachable records in j that the SFU has said that no node holds the session, and
// returns the changed j. The SFU's record has not changed, so it does not show whether
// the session has ended. After two such answers, the session's node counts as gone, and
// the participant gets time to come back.
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

// missing returns j after the SFU has said that it has no record of a session. If
// a.Node is NodeRefuses, no node holds a session either.
//
// The participant has a grace period to come back. It began when the keeper began to
// ask. LiveKit takes up to refusalTime to say that no node holds a session. So after
// NodeRefuses, the keeper asks again refusalTime before the grace period ends.
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

// refusedBy returns j after the answer a. If the answer says that no node holds the
// session, refusedBy sets Refused to the time of the question.
func (j Job) refusedBy(a Answer) Job {
	if a.Node == NodeRefuses {
		j.Refused = a.Asked
	}
	return j
}

// absent returns j after the SFU has answered that the participant is not in the room.
// If no webhook said that the participant left, the keeper waits for the time confirm
// (Grace.Confirm, usually 15 s) and asks again. Only after that, it sends the leave.
// outage is how much longer clients may take to reconnect after an outage of the SFU.
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
			// Before the outage, the keeper decided to send this leave, but has not
			// sent it. After an outage, every participant gets time to come back, so the
			// job leaves the state Sending.
			return j.leaving(now, outage)
		}
	}
	return j
}

// forgotten returns j after the SFU has lost the participant's room. The SFU has said
// that it has no such room, or that it has created the room anew. The argument remade is
// when the SFU created the new room; it is zero if there is none. outage is how long the
// participant has to come back. From now on, the new room counts as the participant's
// room, even if the SFU's clock is ahead.
func (j Job) forgotten(now, remade time.Time, outage time.Duration) Job {
	j = j.answered()
	j.RoomSeen, j.RoomLost = timing.Later(now, remade), true
	if j.State == Waiting {
		j.Deadline = timing.Later(j.Deadline, now.Add(outage))
		return j.waiting(now)
	}
	return j.leaving(now, outage)
}

// waiting returns j after a question about a participant who has not come. It plans the
// next question.
func (j Job) waiting(now time.Time) Job {
	j.Looks++
	// LiveKit may take refusalTime to answer. So the last question must come refusalTime
	// before the deadline.
	last := j.Deadline.Add(-refusalTime)
	if !now.Before(last) {
		last = j.Deadline
	}
	j.NextLook = timing.Earlier(now.Add(lookPause(j.Looks)), last)
	return j
}

// Unanswered returns j after the SFU has not answered. outage is how long clients may
// take to reconnect when the SFU answers again.
//
// trusted says that the store still has this version of the job. In that case no
// webhook has said that the participant is back. If trusted is true, and the
// participant's client has said that it leaves, the keeper sends the leave without an
// answer.
func (j Job) Unanswered(now time.Time, outage time.Duration, trusted bool) Job {
	j = j.UnansweredFrom(now)
	j.Looks++
	if j.State == Waiting && j.Looks == 1 {
		// The client scheduled the event some time ago, and may take long to join. So the
		// keeper must restart the delay now.
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

// UnansweredFrom returns j with UnansweredSince set to since, unless UnansweredSince is
// already set. Since that time, the SFU has not said whether the participant is there.
func (j Job) UnansweredFrom(since time.Time) Job {
	if j.UnansweredSince.IsZero() {
		j.UnansweredSince = timing.Later(since, j.AcceptedAt)
	}
	return j
}

// answered returns j after the SFU has said whether the participant is there or not.
func (j Job) answered() Job {
	j.UnansweredSince = time.Time{}
	return j
}
