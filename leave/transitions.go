package leave

import "time"

// Joined is told of a webhook: session has joined the room.
func (j Job) Joined(now time.Time, session string) Job {
	switch {
	case j.State == Cancelling:
		return j
	case session == "" || session == j.LeftSession:
		// A report that is incomplete, or older than that of its leaving.
		return j.askNow(now)
	case j.State == Connected && session == j.Session:
		return j
	case j.State == Connected:
		// Two sessions: which report is the older one only the SFU knows.
		return j.askNow(now)
	}
	return j.connected(now, session)
}

// Reason is why a participant left (livekit.DisconnectReason), as far as it
// matters here.
type Reason int

// The reasons.
const (
	Unclear  Reason = iota // the connection broke, or another session took over
	Clear                  // the client said so, or somebody removed it: nobody comes back
	Shutdown               // the SFU ends: clients need time to come back
)

// Left is told of a webhook: session has left the room for reason.
func (j Job) Left(now time.Time, session string, reason Reason, grace Grace) Job {
	if j.State == Cancelling {
		return j
	}
	if j.State == Waiting && session != "" {
		// It has been there, though the report of its joining may be still to
		// come.
		j.LeftSession = session
		j.Deadline = earlier(j.Deadline, now.Add(abortedWait))
	}
	if session == "" || session != j.Session || j.State != Connected {
		return j.askNow(now)
	}
	j.LeftSession, j.ClearLeave = session, reason == Clear
	// Asked at once: another session may have taken over already.
	return j.leaving(now, grace.of(reason)).askNow(now)
}

// Aborted is told of a webhook: session never got a connection for media.
func (j Job) Aborted(now time.Time, session string, reason Reason, grace Grace) Job {
	if j.State != Waiting {
		return j.Left(now, session, reason, grace)
	}
	j.Deadline = earlier(j.Deadline, now.Add(abortedWait))
	return j.askNow(now)
}

// Grace is how long a participant that is gone may take to come back.
type Grace struct {
	Reconnect time.Duration // its connection broke
	Outage    time.Duration // the SFU was away
	Confirm   time.Duration // nothing was reported, it was merely not found
}

func (g Grace) of(reason Reason) time.Duration {
	switch reason {
	case Clear:
		return 0
	case Shutdown:
		return g.Outage
	}
	return g.Reconnect
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
	j = j.unheard(now)
	j.Looks++
	if j.State == Waiting && j.Looks == 1 {
		// Its client has scheduled it some time ago, and may not be seen soon.
		j.NextRestart = now
	}
	switch {
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

// RestartDone is told by the homeserver: the delay has begun anew at sent, the
// time before the request left.
func (j Job) RestartDone(sent time.Time, next time.Duration) Job {
	if sent.After(j.Restarted) {
		j.Restarted = sent
	}
	j.Restarts = 0
	j.NextRestart = sent.Add(next)
	return j
}

// RestartFailed plans the next try, not before wait has passed; but one is made
// before the leave fires.
func (j Job) RestartFailed(now time.Time, wait time.Duration) Job {
	j.Restarts++
	j.NextRestart = j.notTooLate(now, now.Add(max(wait, pause(j.Delay, j.Restarts))))
	return j
}

// postponed has the restart wait for the budget, but not past the time from
// which it is urgent.
func (j Job) postponed(now time.Time, wait time.Duration) Job {
	next := now.Add(max(wait, poll))
	if latest := j.fires().Add(-j.Delay / 4); now.Before(latest) {
		next = earlier(next, latest)
	}
	j.NextRestart = j.notTooLate(now, next)
	return j
}

// doubted takes back a decision to send that the SFU did not confirm.
func (j Job) doubted(now time.Time) Job {
	j = j.unheard(now).enter(Leaving, now)
	j.Deadline = now.Add(askAgain)
	j.NextLook = j.Deadline
	return j
}

// SendFailed plans the next try, not before wait has passed.
func (j Job) SendFailed(now time.Time, wait time.Duration) Job {
	j.Sends++
	j.NextLook = now.Add(max(wait, pause(j.Delay, j.Sends)))
	return j
}

// sendPostponed and cancelPostponed wait for the budget, which is no failure.
func (j Job) sendPostponed(now time.Time, wait time.Duration) Job {
	j.NextLook = now.Add(max(wait, poll))
	return j
}

func (j Job) cancelPostponed(now time.Time, wait time.Duration) Job {
	j.NextCancel = now.Add(max(wait, poll))
	return j
}

func (j Job) connected(now time.Time, session string) Job {
	j = j.enter(Connected, now)
	j.Session, j.LeftSession, j.ClearLeave = session, "", false
	j.NextRestart, j.Restarts, j.Sends = now, 0, 0
	j.RoomSeen = now
	return j.settled(now)
}

func (j Job) leaving(now time.Time, grace time.Duration) Job {
	j = j.enter(Leaving, now)
	j.Looks = 0
	j.Deadline = now.Add(grace)
	j.NextLook = j.Deadline
	return j
}

func (j Job) sending(now time.Time) Job {
	j = j.enter(Sending, now)
	j.Sends = 0
	j.NextLook = now
	return j
}

func (j Job) enter(s State, now time.Time) Job {
	if j.State != s {
		j.State, j.Since = s, now
	}
	return j
}

// settled: a participant that is there is looked for again with its room, not
// alone.
func (j Job) settled(now time.Time) Job {
	j.Looks = 0
	j.NextLook = never
	return j
}

// askNow has the SFU asked. Before a send it is anyhow, and the send may have to
// wait for the homeserver.
func (j Job) askNow(now time.Time) Job {
	if j.State == Sending {
		return j
	}
	j.NextLook = earlier(j.NextLook, now)
	return j
}

// never is later than any job lives.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func lookPause(n int) time.Duration {
	return min(firstLook<<min(n-1, 6), maxLook)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
