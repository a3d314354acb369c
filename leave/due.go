package leave

import (
	"slices"
	"time"

	"matrixrtc-auth/internal/timing"
)

// Action is what the keeper does for a job in one step.
type Action string

// These are the actions.
const (
	Finish  Action = "finish"  // remove a job that has no more leaves to cancel
	Send    Action = "send"    // make the homeserver send the leave
	Restart Action = "restart" // make the homeserver start the delay from the beginning
	Look    Action = "look"    // ask the SFU whether the participant is in the room
	Cancel  Action = "cancel"  // make the homeserver drop a replaced leave
)

// plan lists the actions, those with the highest priority first. An entry has these
// fields besides the action:
//   - The list in has the states in which a job can need the action.
//   - The function at returns the time at which the action is due.
//   - The function postpone returns the job with the action put off until next.
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

// Due returns the time at which the job needs its next action.
func (j Job) Due() time.Time {
	due := never
	for _, p := range plan {
		if slices.Contains(p.in, j.State) {
			due = timing.Earlier(due, p.at(j))
		}
	}
	return due
}

// Next returns the first action in plan that is due at the time now. It reports false
// if no action is due.
func (j Job) Next(now time.Time) (Action, bool) {
	for _, p := range plan {
		if slices.Contains(p.in, j.State) && !p.at(j).After(now) {
			return p.Action, true
		}
	}
	return "", false
}

// finishes returns the time at which the keeper may remove a job in the state
// Cancelling. By then, each replaced leave is cancelled or has fired by itself.
func (j Job) finishes() time.Time {
	if len(j.Replaces) == 0 {
		return j.NextCancel
	}
	return j.Deadline
}

// cancels returns the time at which the keeper must cancel the first of the leaves in
// j.Replaces. It returns never if there are none.
func (j Job) cancels() time.Time {
	if len(j.Replaces) == 0 {
		return never
	}
	return j.NextCancel
}

// never is later than any time that a job can have. It stands for an action that is not
// planned.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (j Job) looks() time.Time    { return j.NextLook }
func (j Job) restarts() time.Time { return j.NextRestart }

// Postponed returns j with one change: the next time of the action a is at least wait
// after now. The keeper postpones an action if it may not send a request to the job's
// homeserver now. A postponed action does not count as failed.
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

// restartAt returns j with its restart postponed to the time next. If less than a
// quarter of the delay would be left at that time, the restart is due earlier: when a
// quarter of the delay is left.
func (j Job) restartAt(now, next time.Time) Job {
	if latest := j.Fires().Add(-j.Delay / 4); now.Before(latest) {
		next = timing.Earlier(next, latest)
	}
	j.NextRestart = j.notTooLate(now, next)
	return j
}
