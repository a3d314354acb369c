package leave

import (
	"slices"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/matrix"
)

// maxReplaced is how many earlier delegations of one key may wait to be cancelled. If
// there would be more, the service refuses the new delegation ([ErrManyReplaced]).
const maxReplaced = 8

// Replacing returns j after it has replaced old. j.Replaces then also contains the
// leave of old, and the leaves that old still had to cancel. j.Replaces has at most
// maxReplaced leaves, and Replacing drops further ones. So callers must first check
// [Job.MayReplace].
//
// The keeper must cancel the first of these leaves now. But if another action of j is
// due as well, for example a restart, the other action comes first (see plan). If j
// waits for its participant, it takes over what old knew of the participant.
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

// knowing returns the new job j with what the stored job old knows of the participant:
// when the SFU last had their room, and which session has left the room or is on no
// LiveKit node. If j and old are delegations of the same leave, the result is
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

// again is for a client that delegates the same leave a second time. old is the stored
// job, and j is the job of the new delegation. again returns the job to store instead of
// old. The new delegation restarts no delay, and does not show who is in the room. But
// a participant who seemed to be gone is now about to come back. So the job waits for
// the participant again.
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

// MayReplace reports whether j can replace old. The keeper must then cancel old's own
// leave and all leaves in old.Replaces. j cannot replace old if j.Replaces has no space
// for all of them.
func (j Job) MayReplace(old Job) bool {
	after := j.Replacing(old).Replaces
	return !slices.ContainsFunc(append(old.Replaces, old.DelayID), func(id matrix.DelayID) bool {
		return id != j.DelayID && !slices.Contains(after, id)
	})
}

// Cancelled returns j after the delayed event id has been cancelled.
func (j Job) Cancelled(id matrix.DelayID) Job {
	j.Replaces = slices.DeleteFunc(slices.Clone(j.Replaces), func(r matrix.DelayID) bool { return r == id })
	j.Cancels = 0
	if j.State == Cancelling && len(j.Replaces) == 0 {
		j.NextLook = j.NextCancel
	}
	return j
}

// CancelFailed returns j after an attempt to cancel a leave has failed. The next
// attempt comes when wait has passed, or later.
func (j Job) CancelFailed(now time.Time, wait time.Duration) Job {
	j.Cancels++
	j.NextCancel = now.Add(max(wait, pause(j.Delay, j.Cancels)))
	return j
}

// Ended returns j after its own delayed event has ended. The keeper must still cancel
// the replaced events. If one of these fired, it would end the membership of a
// participant who has come back.
func (j Job) Ended(now time.Time) Job {
	j = j.enter(Cancelling, now)
	j.Deadline = now.Add(max(j.Delay, minGiveUp))
	j.NextLook = j.Deadline
	return j
}
