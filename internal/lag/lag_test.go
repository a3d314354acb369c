package lag

import (
	"testing"
	"testing/synctest"
	"time"
)

// If all timers are punctual, the allowance is 0.
func TestPunctual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		allowance := Measure(t)
		time.Sleep(time.Second)
		if got := allowance(); got != 0 {
			t.Errorf("the allowance is %v, want 0", got)
		}
	})
}

// If a timer was late, the allowance is more than 0.
func TestHeldUp(t *testing.T) {
	allowance := Measure(t)
	for began := time.Now(); allowance() == 0; {
		if time.Since(began) > time.Minute {
			t.Fatal("within a minute: got no timer that was late, want one")
		}
	}
}
