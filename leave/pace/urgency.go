package pace

import (
	"math/bits"
	"time"

	"matrixrtc-auth/leave"
)

// Urgency orders the requests to one homeserver: a request with a greater urgency goes
// first. A restart is ordinary, urgent, or the last one possible. Ordinary and urgent
// restarts have several urgencies each, which depend on the remaining time (see
// levels).
type Urgency int

// These are the lowest urgencies of each kind of request.
const (
	Ordinary  Urgency = 0                 // a restart with time to spare
	Leave             = Ordinary + levels // a request that sends a leave, or cancels a leave that another leave has replaced
	Urgent            = Leave + 1         // a restart in the last quarter of the delay
	Last              = Urgent + levels   // a restart that is the last attempt, because there is no time for another one
	urgencies         = Last + 1          // how many urgencies there are
)

// levels is how many levels of remaining time there are. Each level begins at a power
// of two, in seconds, and ends at the next power of two. 18 levels reach up to 2^17 s
// (36 hours), which is more than leave.MaxDelay.
const levels = 18

// OfRestart returns the urgency of a restart of the job at the time now. It depends on
// how much time is left until the leave fires.
func OfRestart(j leave.Job, now time.Time) Urgency {
	left, try := j.Fires().Sub(now), leave.Attempt(j.Delay)
	switch {
	case left < -try:
		return Urgent // the leave has fired, unless the client itself has restarted the delay
	case left <= 2*try:
		return Last
	case left <= j.Delay/4:
		return Urgent + level(left)
	}
	return Ordinary + level(left)
}

// OfLeave returns the urgency of a request that sends the job's leave, or cancels a
// replaced leave.
func OfLeave(leave.Job, time.Time) Urgency { return Leave }

// level returns the level of a restart, from 0 to levels-1. left is the time until the
// leave fires. The less time is left, the greater is the level.
func level(left time.Duration) Urgency {
	return Urgency(levels - 1 - min(bits.Len64(uint64(max(left, 0)/time.Second)), levels-1))
}

// reserve returns which part of a bucket's tokens a request of urgency u must leave for
// more urgent requests.
func (u Urgency) reserve() float64 {
	switch {
	case u < Leave:
		return 0.5
	case u == Leave:
		return 0.3
	}
	return 0
}
