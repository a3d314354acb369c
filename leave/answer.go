package leave

import "time"

// Answer is what the SFU said when it was asked whether a participant is there.
type Answer struct {
	Asked   time.Time // when the question began
	Session string    // the participant.sid, "" for nobody
	// RoomAsked says that the SFU was asked for the room, too, and RoomMade when
	// the one that is there was made, by our clock; zero while there is none.
	RoomAsked bool
	RoomMade  time.Time
	// Outage is how much longer clients may take to come back to an SFU that
	// was away.
	Outage time.Duration
}

// RoomGone reports whether the SFU has no such room.
func (a Answer) RoomGone() bool { return a.RoomAsked && a.RoomMade.IsZero() }

// Told is told by the SFU. An answer to a question that is older than the
// session says nothing about it: what is due is asked again, in a while.
func (j Job) Told(now time.Time, a Answer, g Grace) Job {
	switch {
	case j.State == Cancelling:
		return j
	case j.State == Connected && a.Asked.Before(j.RoomSeen):
		if !j.NextLook.After(now) {
			j.NextLook = now.Add(askAgain)
		}
		return j
	case a.Session != "":
		return j.Present(now, a.Session)
	case a.RoomAsked && j.Outlived(a.RoomMade):
		return j.Forgotten(now, a.RoomMade, g.Outage)
	}
	return j.Absent(now, g.Confirm, a.Outage)
}

// Expected reports whether a, an answer about the whole room, tells nothing new.
// Who is not there, and was not before, is looked for alone.
func (j Job) Expected(a Answer) bool {
	switch {
	case j.State == Cancelling:
		return true
	case a.Session == "":
		return j.State != Connected
	}
	return j.State == Connected && a.Session == j.Session && j.UnansweredSince.IsZero()
}

// Lacks reports whether the SFU has no room where the participant should be, or
// come back to.
func (j Job) Lacks(a Answer) bool {
	return a.Session == "" && a.RoomGone() && j.RoomMatters()
}

// RoomMatters reports whether it has to be asked about a participant who is not
// there whether its room is: the SFU may have lost that, with everybody in it.
func (j Job) RoomMatters() bool { return !j.RoomSeen.IsZero() && !j.ClearLeave }

// clockSkew is how far the SFU's clock and ours may be apart.
const clockSkew = 2 * time.Second

// Outlived reports whether the room that was made at since, the zero time for
// none, is not the one that the participant was in.
func (j Job) Outlived(since time.Time) bool {
	return since.IsZero() || !since.Before(j.RoomSeen.Add(clockSkew))
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
		return j.settled(now)
	}
	return j.connected(now, session)
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
	j.RoomSeen = later(now, remade)
	if j.State == Waiting {
		j.Deadline = later(j.Deadline, now.Add(outage))
		return j.waiting(now)
	}
	return j.leaving(now, outage)
}

// waiting plans the next look for who has not come.
func (j Job) waiting(now time.Time) Job {
	j.Looks++
	j.NextLook = earlier(now.Add(lookPause(j.Looks)), j.Deadline)
	return j
}

// Unanswered says that the SFU did not tell. outage is how long clients may
// take to come back once it does; a leave that is in no doubt is sent anyway
// (trusted says that nothing contradicts what the job knows).
func (j Job) Unanswered(now time.Time, outage time.Duration, trusted bool) Job {
	j = j.AskedInVain(now)
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

// AskedInVain notes that the SFU has not said since then whether the participant
// is there.
func (j Job) AskedInVain(since time.Time) Job {
	if j.UnansweredSince.IsZero() {
		j.UnansweredSince = later(since, j.AcceptedAt)
	}
	return j
}

func (j Job) answered() Job {
	j.UnansweredSince = time.Time{}
	return j
}
