package browser

import (
	"fmt"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// pollEvery is the time between two checks of a condition.
const pollEvery = 200 * time.Millisecond

// eventually waits until a condition is true, and returns how long that took. If the
// limit passes first, the test fails. It then shows the last text that the condition
// returned, and the ends of the stack's logs.
func eventually(t *testing.T, s *stack.Stack, limit time.Duration, what string, holds func() (bool, string)) time.Duration {
	t.Helper()
	began := time.Now()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		ok, saw := holds()
		took := time.Since(began)
		if ok && took <= limit {
			return took
		}
		if took > limit {
			if ok {
				t.Errorf("got it after %s, want it within %s: %s; seen: %s", took.Round(10*time.Millisecond), limit, what, saw)
			} else {
				t.Errorf("got %s, want within %s: %s", saw, limit, what)
			}
			tail(t, s)
			t.FailNow()
		}
		<-ticker.C
	}
}

func (p *person) eventually(limit time.Duration, what string, holds func() (bool, string)) time.Duration {
	p.t.Helper()
	return eventually(p.t, p.stack, limit, what, holds)
}

func (c *call) eventually(limit time.Duration, what string, holds func() (bool, string)) time.Duration {
	c.t.Helper()
	return eventually(c.t, c.stack, limit, what, holds)
}

// seen returns ok, and the text that a failed condition shows. The text is the error if
// there is one, and the value if not.
func seen(ok bool, value any, err error) (bool, string) {
	if err != nil {
		return false, err.Error()
	}
	return ok, fmt.Sprintf("%+v", value)
}
