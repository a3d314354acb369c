package leave

import (
	"slices"
	"time"
)

// Action is one thing that a job asks for.
type Action string

// The actions.
const (
	Finish  Action = "finish"  // forget a job that has nothing left to cancel
	Send    Action = "send"    // have the homeserver send the leave
	Restart Action = "restart" // have the homeserver begin the delay anew
	Look    Action = "look"    // ask the SFU whether the participant is there
	Cancel  Action = "cancel"  // have the homeserver drop a leave that was replaced
)

// plan says when each action is due, in the states that ask for it. Of those
// that are due the first comes first.
var plan = []struct {
	Action
	in []State
	at func(Job) time.Time
}{
	{Finish, []State{Cancelling}, Job.finishes},
	{Send, []State{Sending}, func(j Job) time.Time { return j.NextLook }},
	{Restart, []State{Waiting, Connected, Leaving}, func(j Job) time.Time { return j.NextRestart }},
	{Look, []State{Waiting, Connected, Leaving}, func(j Job) time.Time { return j.NextLook }},
	{Cancel, States(), Job.cancels},
}

// Due is when there is something to do.
func (j Job) Due() time.Time {
	due := never
	for _, p := range plan {
		if slices.Contains(p.in, j.State) {
			due = earlier(due, p.at(j))
		}
	}
	return due
}

// Next returns what is to be done first of all that is due at now; false if
// nothing is.
func (j Job) Next(now time.Time) (Action, bool) {
	for _, p := range plan {
		if slices.Contains(p.in, j.State) && !p.at(j).After(now) {
			return p.Action, true
		}
	}
	return "", false
}

// finishes is when a Cancelling job has nothing left to do: all is cancelled,
// or has fired by now.
func (j Job) finishes() time.Time {
	if len(j.Replaces) == 0 {
		return j.NextCancel
	}
	return j.Deadline
}

func (j Job) cancels() time.Time {
	if len(j.Replaces) == 0 {
		return never
	}
	return j.NextCancel
}

// never is later than any job lives.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Postponed has an action wait for its homeserver, which is no failure. The
// next try is not before wait has passed.
func (j Job) Postponed(a Action, now time.Time, wait time.Duration) Job {
	next := now.Add(max(wait, Tick))
	switch a {
	case Restart:
		// Not past the time from which it is urgent.
		if latest := j.Fires().Add(-j.Delay / 4); now.Before(latest) {
			next = earlier(next, latest)
		}
		j.NextRestart = j.notTooLate(now, next)
	case Cancel:
		j.NextCancel = next
	default:
		j.NextLook = next
	}
	return j
}
