// Package timing compares times and waits for them.
package timing

import (
	"context"
	"time"
)

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Earlier returns the earlier of two times.
func Earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Sleep waits for d, or until ctx ends. If d is not positive, it does not wait.
// It returns true unless ctx has ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 { // without this, a timer for a time long ago crashes Go 1.26.8 in tests, with synctest and -race
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
