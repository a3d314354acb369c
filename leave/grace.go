package leave

import (
	"time"

	"matrixrtc-auth/sfu"
)

// Grace is how long a participant who is gone may take to come back.
type Grace struct {
	Reconnect time.Duration // the time after the participant's connection broke
	Outage    time.Duration // the time after an outage of the SFU
	Confirm   time.Duration // the time if no leaving was reported, and a look did not find the participant
}

// of returns how long to wait for a participant who left for reason. Somebody
// who left on purpose does not come back.
func (g Grace) of(reason sfu.Reason) time.Duration {
	switch reason {
	case sfu.ReasonClear:
		return 0
	case sfu.ReasonServerShutdown:
		return g.Outage
	}
	return g.Reconnect
}

// longestGrace is the longest time that a participant who is gone may take to
// come back. LIVEKIT_RECONNECT_GRACE cannot be longer.
const longestGrace = time.Minute
