package pace

import (
	"math/bits"
	"time"

	"matrixrtc-auth/leave"
)

// Urgency orders requests to one homeserver: the greater urgency goes first.
// Restarts have several urgencies of each kind, one for each level of remaining
// time (see levels).
type Urgency int

// The lowest urgency of each kind.
const (
	Ordinary  Urgency = 0                 // a restart with time to spare
	Leave             = Ordinary + levels // a leave, or the cancelling of a replaced one
	Urgent            = Leave + 1         // a restart in the last quarter of the delay
	Last              = Urgent + levels   // a restart without time for another try
	urgencies         = Last + 1          // how many urgencies there are
)

// levels is how many levels of remaining time there are. One level is the
// remaining times between a power of two seconds and the next power. The last
// level reaches the longest delay.
const levels = 18

// OfRestart returns the urgency of the job's restart at now, by the time that is
// left until the leave fires.
func OfRestart(j leave.Job, now time.Time) Urgency {
	left, try := j.Fires().Sub(now), leave.Attempt(j.Delay)
	switch {
	case left < -try:
		return Urgent // the leave has fired, unless its client has restarted it
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

// level returns a greater level for less remaining time.
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
