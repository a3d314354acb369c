package leave

import (
	"slices"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/matrix"
)

// maxReplaced is the most replaced delegations of one key that may wait to be
// cancelled. One more delegation is refused ([ErrManyReplaced]).
const maxReplaced = 8

// Replacing returns j with everything to be cancelled for it: the delegation
// old, and what old still had to cancel. It drops what exceeds maxReplaced, so
// callers check [Job.MayReplace] first. The first cancel is due at once; other
// due actions of j, like a restart, come before it (plan). j also takes over what
// old knew of its participant, if that may matter for a participant who comes
// back.
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

// knowing returns the new delegation j with what old knew of the participant:
// when their room was seen, and the session that has left the room or that no
// node holds.
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

// again returns old after its client has delegated the same leave again, as j.
// A delegation restarts no delay, and says nothing about who is in the room. But
// a participant who seemed to be gone is about to come back.
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

// Cancelled returns j after the homeserver has dropped the event id.
func (j Job) Cancelled(id matrix.DelayID) Job {
	j.Replaces = slices.DeleteFunc(slices.Clone(j.Replaces), func(r matrix.DelayID) bool { return r == id })
	j.Cancels = 0
	if j.State == Cancelling && len(j.Replaces) == 0 {
		j.NextLook = j.NextCancel
	}
	return j
}

// CancelFailed returns j after a failed try to cancel. The next try is not
// before wait has passed.
func (j Job) CancelFailed(now time.Time, wait time.Duration) Job {
	j.Cancels++
	j.NextCancel = now.Add(max(wait, pause(j.Delay, j.Cancels)))
	return j
}

// Ended returns the job after its own delayed event has ended, while replaced
// events are still to be cancelled. Each of them, if it fired, would end the
// membership of a participant who has come back.
func (j Job) Ended(now time.Time) Job {
	j = j.enter(Cancelling, now)
	j.Deadline = now.Add(max(j.Delay, minGiveUp))
	j.NextLook = j.Deadline
	return j
}
