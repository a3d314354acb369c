package lag

import (
	"testing"
	"testing/synctest"
	"time"
)

// Where every timer is punctual there is no allowance.
func TestPunctual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		allowance := Measure(t)
		time.Sleep(time.Second)
		if got := allowance(); got != 0 {
			t.Errorf("the allowance is %v, want 0", got)
		}
	})
}

// A process that was held up has an allowance for that.
func TestHeldUp(t *testing.T) {
	allowance := Measure(t)
	for began := time.Now(); allowance() == 0; {
		if time.Since(began) > time.Minute {
			t.Fatal("within a minute: got no timer that was late, want one")
		}
	}
}
