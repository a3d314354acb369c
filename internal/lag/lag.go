// Package lag tells tests how late a busy machine is, so that a bound on elapsed
// time holds there, too, and is no wider than it must be on a quiet one.
package lag

import (
	"sync/atomic"
	"testing"
	"time"
)

const (
	tick = 10 * time.Millisecond
	// steps is how many times what is measured may be held up as long as a
	// timer was: it waits for a processor more than once.
	steps = 5
)

// Measure begins to measure, until the end of the test. What it returns tells how
// much longer than its time something may have taken since then.
func Measure(t testing.TB) (allowance func() time.Duration) {
	t.Helper()
	var worst atomic.Int64
	ticker, stop := time.NewTicker(tick), make(chan struct{})
	t.Cleanup(func() {
		ticker.Stop()
		close(stop)
	})
	last := time.Now()
	go func() {
		for {
			select {
			case <-ticker.C:
				now := time.Now()
				worst.Store(max(worst.Load(), int64(now.Sub(last)-tick)))
				last = now
			case <-stop:
				return
			}
		}
	}()
	return func() time.Duration { return steps * time.Duration(worst.Load()) }
}
