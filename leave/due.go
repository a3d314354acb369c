package leave

import (
	"slices"
	"time"

	"matrixrtc-auth/internal/timing"
)

// Action is one thing that the keeper does for a job.
type Action string

// The actions.
const (
	Finish  Action = "finish"  // remove a job that has nothing left to cancel
	Send    Action = "send"    // make the homeserver send the leave
	Restart Action = "restart" // make the homeserver start the delay again
	Look    Action = "look"    // ask the SFU whether the participant is there
	Cancel  Action = "cancel"  // make the homeserver drop a leave that was replaced
)

// plan lists the actions in the order of their priority, the highest first. The
// field in has the states in which a job needs the action. The field at returns
// when the action is due. The field postpone returns the job with the action due at
// next, for an action that must wait.
var plan = []struct {
	Action
	in       []State
	at       func(Job) time.Time
	postpone func(j Job, now, next time.Time) Job
}{
	{Finish, []State{Cancelling}, Job.finishes, Job.lookAt},
	{Send, []State{Sending}, Job.looks, Job.lookAt},
	{Restart, []State{Waiting, Connected, Leaving}, Job.restarts, Job.restartAt},
	{Look, []State{Waiting, Connected, Leaving}, Job.looks, Job.lookAt},
	{Cancel, States(), Job.cancels, Job.cancelAt},
}

// Due returns when the job next needs an action.
func (j Job) Due() time.Time {
	due := never
	for _, p := range plan {
		if slices.Contains(p.in, j.State) {
			due = timing.Earlier(due, p.at(j))
		}
	}
	return due
}

// Next returns the first action in plan that is due at now. It reports false if no
// action is due.
func (j Job) Next(now time.Time) (Action, bool) {
	for _, p := range plan {
		if slices.Contains(p.in, j.State) && !p.at(j).After(now) {
			return p.Action, true
		}
	}
	return "", false
}

// finishes returns when a job in the state Cancelling is done. By then every
// replaced leave is cancelled, or has fired by itself.
func (j Job) finishes() time.Time {
	if len(j.Replaces) == 0 {
		return j.NextCancel
	}
	return j.Deadline
}

// cancels returns when the keeper must cancel the next replaced leave.
func (j Job) cancels() time.Time {
	if len(j.Replaces) == 0 {
		return never
	}
	return j.NextCancel
}

// never is later than any time in a job.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (j Job) looks() time.Time    { return j.NextLook }
func (j Job) restarts() time.Time { return j.NextRestart }

// Postponed returns j with the action a due again once wait has passed. The keeper
// postpones an action if it may not ask the job's homeserver now. A postponed
// action does not count as failed.
func (j Job) Postponed(a Action, now time.Time, wait time.Duration) Job {
	for _, p := range plan {
		if p.Action == a {
			return p.postpone(j, now, now.Add(max(wait, Tick)))
		}
	}
	return j
}

func (j Job) lookAt(_, next time.Time) Job {
	j.NextLook = next
	return j
}

func (j Job) cancelAt(_, next time.Time) Job {
	j.NextCancel = next
	return j
}

// restartAt returns j with its restart postponed to next. The restart is postponed
// no further than to the time when a quarter of the delay is left.
func (j Job) restartAt(now, next time.Time) Job {
	if latest := j.Fires().Add(-j.Delay / 4); now.Before(latest) {
		next = timing.Earlier(next, latest)
	}
	j.NextRestart = j.notTooLate(now, next)
	return j
}
