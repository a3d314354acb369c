package leave

import (
	"time"

	"matrixrtc-auth/sfu"
)

// Grace is how long a participant who is gone may take to come back.
type Grace struct {
	Reconnect time.Duration // how long after the participant's connection broke: LIVEKIT_RECONNECT_GRACE, 1 s unless set
	Outage    time.Duration // how long after an outage of the SFU: 15 s
	// Confirm is how long if no webhook said that the participant left, but the SFU
	// has no record of them: 15 s, or twice LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS if
	// that is less.
	Confirm time.Duration
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
