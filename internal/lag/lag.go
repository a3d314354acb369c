// Package lag tells tests how late the timers of a busy machine are. With this
// package, a bound on elapsed time also holds on a busy machine, and is no wider
// than necessary on a quiet one.
package lag

import (
	"sync/atomic"
	"testing"
	"time"
)

const (
	tick = 10 * time.Millisecond
	// steps is the factor by which Measure multiplies the longest delay of a timer. It
	// is more than one, because an action may wait for a processor several times.
	steps = 5
)

// Measure measures the delay of timers until the end of the test. allowance returns
// how much longer than usual an action may have taken since the call of Measure.
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
