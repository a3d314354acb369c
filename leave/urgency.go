package leave

import (
	"math/bits"
	"time"
)

// urgency orders what asks a homeserver at the same time: what is greater goes
// first. Restarts, with and without time to spare, have as many urgencies as
// there are levels.
type urgency int

const (
	ordinary  urgency = 0                 // a restart with time to spare
	sending           = ordinary + levels // a leave, or the cancelling of one
	urgent            = sending + 1       // a restart in the last quarter of its time
	last              = urgent + levels   // there is no time for another try
	urgencies         = last + 1
)

// levels tell apart how much time is left, by powers of two of a second: those
// of the longest delay.
const levels = 18

// level is greater the less time is left.
func level(left time.Duration) urgency {
	return urgency(levels - 1 - min(bits.Len64(uint64(max(left, 0)/time.Second)), levels-1))
}

// reserve is the part of a bucket that u leaves to what is more urgent.
func (u urgency) reserve() float64 {
	switch {
	case u < sending:
		return 0.5
	case u == sending:
		return 0.3
	}
	return 0
}

// urgency is that of the job's restart now, by the time that is left.
func (j Job) urgency(now time.Time) urgency {
	left, try := j.fires().Sub(now), attempt(j.Delay)
	switch {
	case left < -try:
		return urgent // it has fired, unless its client has restarted it
	case left <= 2*try:
		return last
	case left <= j.Delay/4:
		return urgent + level(left)
	}
	return ordinary + level(left)
}
