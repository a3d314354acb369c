package leave

import "time"

// Told is told by the SFU. An answer to a question that is older than the
// session says nothing about it: what is due is asked again, in a while. One
// that is in doubt has the SFU asked again at once.
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

// Present is told by the SFU: session is in the room.
func (j Job) Present(now time.Time, session string) Job {
	if j.State == Cancelling {
		return j
	}
	j = j.answered()
	if (j.State == Leaving || j.State == Sending || j.State == Waiting) && session == j.LeftSession {
		// The SFU has not cleaned up yet.
		return j.Absent(now, 0, 0)
	}
	if j.State == Connected && session == j.Session {
		j.Unrecorded = false
		return j.settled(now)
	}
	return j.connected(now, session)
}

// found is told by the participant's node: it is there. session is the one on
// record, if there is one. Which one has come since another was reported to
// have left is not known.
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

// unreachable is told by the SFU: no node has the session, and what is on record
// does not say whether it is over. After two such answers its node is gone, and
// everybody who was there has time to come back.
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

// missing is told by the SFU: there is no session on record, and no node has one
// where that was asked. The graces count from when the question began, and the
// last question begins early enough to be refused by their end.
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

// refusedBy notes that no node has the session.
func (j Job) refusedBy(a Answer) Job {
	if a.Node == NodeRefuses {
		j.Refused = a.Asked
	}
	return j
}

// Absent is told by the SFU: the participant is not in the room. confirm is
// how long to wait for a second look where none was expected, outage how much
// longer clients may take to come back to an SFU that was away.
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
			j.Deadline = later(j.Deadline, now.Add(outage))
		}
		if now.Before(j.Deadline) {
			j.NextLook = j.Deadline
			return j
		}
		return j.sending(now)
	case Sending:
		if outage > 0 && !j.ClearLeave {
			// Decided before the SFU was away: everybody has time to come back.
			return j.leaving(now, outage)
		}
	}
	return j
}

// Forgotten is told by the SFU: the room of the participant is not the one that
// it was in, but was made at remade. Everybody was thrown out and has outage to
// come back. That holds once for a room, also when the SFU's clock is ahead.
func (j Job) Forgotten(now, remade time.Time, outage time.Duration) Job {
	j = j.answered()
	j.RoomSeen, j.RoomLost = later(now, remade), true
	if j.State == Waiting {
		j.Deadline = later(j.Deadline, now.Add(outage))
		return j.waiting(now)
	}
	return j.leaving(now, outage)
}

// waiting plans the next look for who has not come.
func (j Job) waiting(now time.Time) Job {
	j.Looks++
	last := j.Deadline.Add(-refusalTime) // early enough to be refused in time
	if !now.Before(last) {
		last = j.Deadline
	}
	j.NextLook = earlier(now.Add(lookPause(j.Looks)), last)
	return j
}

// Unanswered says that the SFU did not tell. outage is how long clients may
// take to come back once it does; a leave that is in no doubt is sent anyway
// (trusted says that nothing contradicts what the job knows).
func (j Job) Unanswered(now time.Time, outage time.Duration, trusted bool) Job {
	j = j.UnansweredFrom(now)
	j.Looks++
	if j.State == Waiting && j.Looks == 1 {
		// Its client has scheduled it some time ago, and may not be seen soon.
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

// UnansweredFrom notes that the SFU has not said since then whether the
// participant is there.
func (j Job) UnansweredFrom(since time.Time) Job {
	if j.UnansweredSince.IsZero() {
		j.UnansweredSince = later(since, j.AcceptedAt)
	}
	return j
}

func (j Job) answered() Job {
	j.UnansweredSince = time.Time{}
	return j
}
