package pace

import (
	"math/bits"
	"time"

	"matrixrtc-auth/leave"
)

// Urgency orders what asks a homeserver at the same time: what is greater goes
// first. Restarts, with and without time to spare, have as many urgencies as
// there are levels.
type Urgency int

// The urgencies, the least urgent of each kind.
const (
	Ordinary  Urgency = 0                 // a restart with time to spare
	Leave             = Ordinary + levels // a leave, or the cancelling of one
	Urgent            = Leave + 1         // a restart in the last quarter of its time
	Last              = Urgent + levels   // there is no time for another try
	urgencies         = Last + 1
)

// levels tell apart how much time is left, by powers of two of a second: those
// of the longest delay.
const levels = 18

// OfRestart is the urgency of the job's restart now, by the time that is left.
func OfRestart(j leave.Job, now time.Time) Urgency {
	left, try := j.Fires().Sub(now), leave.Attempt(j.Delay)
	switch {
	case left < -try:
		return Urgent // it has fired, unless its client has restarted it
	case left <= 2*try:
		return Last
	case left <= j.Delay/4:
		return Urgent + level(left)
	}
	return Ordinary + level(left)
}

// OfLeave is the urgency of the job's leave, or of the cancelling of another.
func OfLeave(leave.Job, time.Time) Urgency { return Leave }

// level is greater the less time is left.
func level(left time.Duration) Urgency {
	return Urgency(levels - 1 - min(bits.Len64(uint64(max(left, 0)/time.Second)), levels-1))
}

// reserve is the part of a bucket that u leaves to what is more urgent.
func (u Urgency) reserve() float64 {
	switch {
	case u < Leave:
		return 0.5
	case u == Leave:
		return 0.3
	}
	return 0
}
