package leave

import (
	"slices"
	"time"

	"matrixrtc-auth/matrix"
)

// maxReplaced bounds the delegations of one key that wait to be cancelled.
const maxReplaced = 8

// Replacing returns j with what is to be cancelled for it: old, and what was
// still to be cancelled for old. What is over maxReplaced is forgotten, so
// callers see to it before that there is room ([Job.MayReplace]). What old knew
// of its participant, j knows, too, as far as it concerns one that may be about
// to come back.
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

// knowing returns j, just delegated, with what is known of old's participant:
// the room that it was in, and the session that has left it or that no node has.
func (j Job) knowing(old Job) Job {
	if j.DelayID == old.DelayID && j.After(old) {
		return j.again(old)
	}
	j.RoomSeen = later(j.RoomSeen, old.RoomSeen)
	if old.State == Leaving || old.State == Sending {
		j.LeftSession = old.LeftSession
	}
	if !old.Refused.IsZero() {
		j.Session, j.Refused = old.Session, old.Refused
	}
	return j
}

// again returns what becomes of old when its client delegates the same leave
// once more, as j. That does not begin the delay anew, and nobody comes or goes
// by it; but whoever seemed to be gone is about to come back.
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

// MayReplace reports whether j can have all cancelled that old leaves behind.
func (j Job) MayReplace(old Job) bool {
	after := j.Replacing(old).Replaces
	return !slices.ContainsFunc(append(old.Replaces, old.DelayID), func(id matrix.DelayID) bool {
		return id != j.DelayID && !slices.Contains(after, id)
	})
}

// Cancelled is told by the homeserver: id is no more.
func (j Job) Cancelled(id matrix.DelayID) Job {
	j.Replaces = slices.DeleteFunc(slices.Clone(j.Replaces), func(r matrix.DelayID) bool { return r == id })
	j.Cancels = 0
	if j.State == Cancelling && len(j.Replaces) == 0 {
		j.NextLook = j.NextCancel
	}
	return j
}

// CancelFailed plans the next try, not before wait has passed.
func (j Job) CancelFailed(now time.Time, wait time.Duration) Job {
	j.Cancels++
	j.NextCancel = now.Add(max(wait, pause(j.Delay, j.Cancels)))
	return j
}

// Ended is what stays of a job whose own delayed event is over, while others
// are still to be cancelled: any of them would empty a member who is back.
func (j Job) Ended(now time.Time) Job {
	j = j.enter(Cancelling, now)
	j.Deadline = now.Add(max(j.Delay, minGiveUp))
	j.NextLook = j.Deadline
	return j
}
