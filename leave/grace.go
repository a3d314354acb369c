package leave

import (
	"time"

	"matrixrtc-auth/sfu"
)

// Grace is how long a participant who is gone may take to come back. There is one
// time for each of three cases.
type Grace struct {
	Reconnect time.Duration // after the participant's connection broke: LIVEKIT_RECONNECT_GRACE, 1 s unless set
	Outage    time.Duration // after an outage of the SFU: 15 s
	// Confirm is the time if the SFU has no record of the participant, and no
	// webhook said that the participant left. It is 15 s, or twice
	// LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS if that is less.
	Confirm time.Duration
}

// of returns how long to wait for a participant who left for the given reason.
// Somebody who left on purpose does not come back.
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
