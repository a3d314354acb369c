// Package seldom keeps a log short: what goes on for long is warned of once in a
// while.
package seldom

import (
	"sync"
	"time"
)

// Every is the least time between two warnings.
const Every = 10 * time.Minute

// Warning is one thing that is warned of. The zero value is ready.
type Warning struct {
	mu sync.Mutex
	at time.Time // the last one
}

// Due reports whether it is time to warn (once more), and takes it that this is
// done.
func (w *Warning) Due(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && now.Sub(w.at) < Every {
		return false
	}
	w.at = now
	return true
}
