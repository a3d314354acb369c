package deploytest

import (
	"testing"
	"time"
)

// Until calls the function do repeatedly until it returns nil. If that takes
// longer than [MaxWait], Until fails the test.
func Until(t *testing.T, do func() error) {
	t.Helper()
	deadline := time.After(MaxWait)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := do()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}
