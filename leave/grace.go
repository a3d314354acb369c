package leave

import (
	"time"

	"matrixrtc-auth/sfu"
)

// Grace says how long a participant who is gone may take to come back. The time depends
// on how the participant went.
type Grace struct {
	Reconnect time.Duration // after the participant's connection broke: LIVEKIT_RECONNECT_GRACE, 1 s unless set
	Outage    time.Duration // after an outage of the SFU: 15 s
	// Confirm is how long the keeper waits if the SFU has no record of the participant,
	// and no webhook said that the participant left. It is 15 s, or twice
	// LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS if that is shorter.
	Confirm time.Duration
}

// of returns how long to wait for a participant who left for the given reason. A
// participant who left on purpose does not come back.
func (g Grace) of(reason sfu.Reason) time.Duration {
	switch reason {
	case sfu.ReasonClear:
		return 0
	case sfu.ReasonServerShutdown:
		return g.Outage
	}
	return g.Reconnect
}

// longestGrace is the longest time that a participant who is gone may take to come
// back. It is also the longest allowed LIVEKIT_RECONNECT_GRACE.
const longestGrace = time.Minute
