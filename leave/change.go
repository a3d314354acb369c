package leave

import (
	"time"

	"matrixrtc-auth/internal/timing"
)

func (j Job) connected(now time.Time, session string) Job {
	j = j.enter(Connected, now)
	j.Session, j.LeftSession, j.ClearLeave = session, "", false
	j.NextRestart, j.Restarts, j.Sends = now, 0, 0
	j.RoomSeen, j.RoomLost, j.Refused, j.Unrecorded = now, false, time.Time{}, false
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

// settled returns j without a look of its own. From now on, the looks into its
// room find the participant.
func (j Job) settled(now time.Time) Job {
	j.Looks = 0
	j.NextLook = never
	return j
}

// askNow makes a look due now. A job that sends needs none, because each send
// asks the SFU first, and may have to wait for the homeserver.
func (j Job) askNow(now time.Time) Job {
	if j.State == Sending {
		return j
	}
	j.NextLook = timing.Earlier(j.NextLook, now)
	return j
}

func lookPause(n int) time.Duration {
	return min(firstLook<<min(n-1, 6), maxLook)
}
