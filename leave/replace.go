package leave

import (
	"slices"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/matrix"
)

// maxReplaced is the most replaced delegations of one key that may wait to be
// cancelled. The service refuses one more delegation ([ErrManyReplaced]).
const maxReplaced = 8

// Replacing returns j after it has replaced old. j.Replaces then has the leave of
// old, and the leaves that old still had to cancel. Replacing drops what exceeds
// maxReplaced, so callers check [Job.MayReplace] first.
//
// The first cancel is due at once, but other due actions of j, like a restart, come
// before it (see plan). If j waits for its participant, it takes over what old knew
// of the participant.
func (j Job) Replacing(old Job) Job {
	if j.State == Waiting && !j.Same(old) {
		j = j.knowing(old)
	}
	for _, id := range append([]matrix.DelayID{old.DelayID}, old.Replaces...) {
		if id != j.DelayID && !slices.Contains(j.Replaces, id) && len(j.Replaces) < maxReplaced {
			j.Replaces = append(slices.Clone(j.Replaces), id)
		}
	}
	j.NextCancel = j.AcceptedAt
	return j
}

// knowing returns the new delegation j with what old knew of the participant. That
// is when their room was seen, and which session has left the room or is on no
// node. If the client has delegated the same leave again, the result is
// j.again(old).
func (j Job) knowing(old Job) Job {
	if j.DelayID == old.DelayID && j.After(old) {
		return j.again(old)
	}
	j.RoomSeen = timing.Later(j.RoomSeen, old.RoomSeen)
	if old.State == Leaving || old.State == Sending {
		j.LeftSession = old.LeftSession
	}
	if !old.Refused.IsZero() {
		j.Session, j.Refused = old.Session, old.Refused
	}
	return j
}

// again returns old after its client has delegated the same leave again, as j. A
// delegation restarts no delay, and says nothing about who is in the room. But a
// participant who seemed to be gone is about to come back, so the job waits again.
func (j Job) again(old Job) Job {
	kept := old
	kept.AcceptedAt, kept.User, kept.Delay = j.AcceptedAt, j.User, j.Delay
	kept.NextRestart, kept.Restarts = j.AcceptedAt, 0
	if old.State != Connected {
		kept = kept.enter(Waiting, j.AcceptedAt)
		kept.ClearLeave, kept.RoomLost, kept.Looks = false, false, 0
		kept.Deadline, kept.NextLook = j.Deadline, j.NextLook
	}
	return kept
}

// MayReplace reports whether j can hold all leaves that it must cancel if it
// replaces old.
func (j Job) MayReplace(old Job) bool {
	after := j.Replacing(old).Replaces
	return !slices.ContainsFunc(append(old.Replaces, old.DelayID), func(id matrix.DelayID) bool {
		return id != j.DelayID && !slices.Contains(after, id)
	})
}

// Cancelled returns j after the homeserver has dropped the delayed event id.
func (j Job) Cancelled(id matrix.DelayID) Job {
	j.Replaces = slices.DeleteFunc(slices.Clone(j.Replaces), func(r matrix.DelayID) bool { return r == id })
	j.Cancels = 0
	if j.State == Cancelling && len(j.Replaces) == 0 {
		j.NextLook = j.NextCancel
	}
	return j
}

// CancelFailed returns j after a failed try to cancel. The next try comes when wait
// has passed, or later.
func (j Job) CancelFailed(now time.Time, wait time.Duration) Job {
	j.Cancels++
	j.NextCancel = now.Add(max(wait, pause(j.Delay, j.Cancels)))
	return j
}

// Ended returns the job after its own delayed event has ended, while the keeper
// must still cancel replaced events. If one of these fired, it would end the
// membership of a participant who has come back.
func (j Job) Ended(now time.Time) Job {
	j = j.enter(Cancelling, now)
	j.Deadline = now.Add(max(j.Delay, minGiveUp))
	j.NextLook = j.Deadline
	return j
}
