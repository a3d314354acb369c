package leave

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/internal/timing"
)

// TestAnswerOlderThanTheSession has an answer whose question seems older than the
// session. Either the keeper asked before the session began, or the clocks of two
// replicas differ. The answer must change neither the state nor the session. If a
// question was due (NextLook), the next question must come after a pause.
func TestAnswerOlderThanTheSession(t *testing.T) {
	j := in(t, Connected)
	j.RoomSeen = noon.Add(900 * time.Millisecond)
	for _, look := range []time.Time{noon, noon.Add(-time.Hour), never} {
		t.Run(fmt.Sprintf("look due at %v", look), func(t *testing.T) {
			j.NextLook = look
			got := j.Told(noon, Answer{Asked: noon}, testGrace)
			if got.State != Connected || got.Session != j.Session {
				t.Errorf("with a look due at %v: got %s with session %q, want no change", look, got.State, got.Session)
			}
			if want := timing.Later(noon.Add(askAgain), look); !got.NextLook.Equal(want) {
				t.Errorf("with a look due at %v: got the next look at %v, want it at %v", look, got.NextLook, want)
			}
		})
	}
}
