// Package seldom limits how often the log repeats a warning about a problem
// that lasts.
package seldom

import (
	"sync"
	"time"
)

// Every is the least time between two equal warnings.
const Every = 10 * time.Minute

// Warning is one warning that the log may repeat. The zero value is ready.
type Warning struct {
	mu sync.Mutex
	at time.Time // when the warning was last logged
}

// Due reports whether the warning is to be logged now. If it returns true, it
// assumes that the caller logs the warning.
func (w *Warning) Due(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && now.Sub(w.at) < Every {
		return false
	}
	w.at = now
	return true
}
