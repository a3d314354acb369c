package lag

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPunctual checks that the allowance, the additional time for an action, is 0 if
// all timers are punctual.
func TestPunctual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		allowance := Measure(t)
		time.Sleep(time.Second)
		if got := allowance(); got != 0 {
			t.Errorf("the allowance is %v, want 0", got)
		}
	})
}

// TestHeldUp checks that the allowance (the additional time for an action) is more than
// 0 if a timer was late.
func TestHeldUp(t *testing.T) {
	allowance := Measure(t)
	for began := time.Now(); allowance() == 0; {
		if time.Since(began) > time.Minute {
			t.Fatal("within a minute: got no timer that was late, want one")
		}
	}
}
