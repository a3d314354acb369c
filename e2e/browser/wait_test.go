package browser

import (
	"fmt"
	"testing"
	"time"
)

// pollEvery is the pause between two looks at a condition.
const pollEvery = 200 * time.Millisecond

// eventually looks until the condition holds and returns how long that took.
// The condition says what it saw last, for the message when the limit is over.
func eventually(t *testing.T, limit time.Duration, what string, holds func() (bool, string)) time.Duration {
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
			t.Fatalf("after %s not yet: %s; last seen: %s", limit, what, saw)
		}
		<-ticker.C
	}
}

// seen is a condition's answer about a value, or about the error that kept it
// from the value.
func seen(ok bool, value any, err error) (bool, string) {
	if err != nil {
		return false, err.Error()
	}
	return ok, fmt.Sprintf("%+v", value)
}
