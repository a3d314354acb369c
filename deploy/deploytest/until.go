package deploytest

import (
	"testing"
	"time"
)

// Until tries do again and again until it succeeds, for as long as [Patience].
func Until(t *testing.T, do func() error) {
	t.Helper()
	deadline := time.After(Patience)
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
