package pace

import (
	"math/bits"
	"time"

	"matrixrtc-auth/leave"
)

// Urgency orders requests to one homeserver: the greater urgency goes first. A
// restart is ordinary, urgent or the last one possible. Ordinary and urgent
// restarts have one urgency for each level of remaining time (see levels).
type Urgency int

// The lowest urgency of each kind of request.
const (
	Ordinary  Urgency = 0                 // a restart with time to spare
	Leave             = Ordinary + levels // sending a leave, or cancelling a replaced one
	Urgent            = Leave + 1         // a restart in the last quarter of the delay
	Last              = Urgent + levels   // a restart after which there is no time for another try
	urgencies         = Last + 1          // how many urgencies there are
)

// levels is how many levels of remaining time there are. A level contains the times
// from one power of two seconds to the next. So 18 levels are enough for the
// longest delay.
const levels = 18

// OfRestart returns the urgency of the job's restart at now. The urgency depends on
// the time that is left until the leave fires.
func OfRestart(j leave.Job, now time.Time) Urgency {
	left, try := j.Fires().Sub(now), leave.Attempt(j.Delay)
	switch {
	case left < -try:
		return Urgent // the leave has fired, unless its client itself has restarted the delay
	case left <= 2*try:
		return Last
	case left <= j.Delay/4:
		return Urgent + level(left)
	}
	return Ordinary + level(left)
}

// OfLeave returns the urgency of sending the job's leave, or of cancelling a
// replaced one.
func OfLeave(leave.Job, time.Time) Urgency { return Leave }

// level returns the level of the remaining time left: the less time is left, the
// greater is the level.
func level(left time.Duration) Urgency {
	return Urgency(levels - 1 - min(bits.Len64(uint64(max(left, 0)/time.Second)), levels-1))
}

// reserve returns the part of a bucket's tokens that a request of urgency u must
// leave for more urgent requests.
func (u Urgency) reserve() float64 {
	switch {
	case u < Leave:
		return 0.5
	case u == Leave:
		return 0.3
	}
	return 0
}
