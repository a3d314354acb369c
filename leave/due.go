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

// plan says of each action in which states a job asks for it, when it is due,
// and what becomes of the job when it has to wait until next. Of the actions that
// are due the first comes first. How each is done, and how urgent it is, is the
// keeper's to say.
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

func (j Job) looks() time.Time    { return j.NextLook }
func (j Job) restarts() time.Time { return j.NextRestart }

// Postponed has an action wait for its homeserver, which is no failure. The
// next try is not before wait has passed.
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

// restartAt waits no longer than until a restart is urgent.
func (j Job) restartAt(now, next time.Time) Job {
	if latest := j.Fires().Add(-j.Delay / 4); now.Before(latest) {
		next = earlier(next, latest)
	}
	j.NextRestart = j.notTooLate(now, next)
	return j
}
