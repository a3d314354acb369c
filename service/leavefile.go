package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// slowOpen is how long opening the leave file may take before the log warns. It
// is also the time between two such warnings.
const slowOpen = 5 * time.Second

// untilOpen returns the result of open. While a disk does not answer, open
// cannot be interrupted. In that time the service does not listen, the log says
// why, and the program ends when ctx does.
func untilOpen[T any](ctx context.Context, log *slog.Logger, path string, open func() (T, error)) (T, error) {
	type result struct {
		opened T
		err    error
	}
	done := make(chan result, 1)
	go func() {
		opened, err := open()
		done <- result{opened, err}
	}()
	slow := time.NewTicker(slowOpen)
	defer slow.Stop()
	for began := time.Now(); ; {
		select {
		case r := <-done:
			return r.opened, r.err
		case <-slow.C:
			log.Warn("the leave file is not open yet, and nothing is served until it is: its disk does not answer, or another process has it",
				"path", path, "waited", time.Since(began).Round(time.Second).String())
		case <-ctx.Done():
			var none T
			return none, fmt.Errorf("the leave file %s could not be opened in time: %w", path, ctx.Err())
		}
	}
}
