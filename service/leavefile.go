package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// slowOpen is the time after which the log warns that opening the leave file is
// slow. The log repeats the warning after each further slowOpen.
const slowOpen = 5 * time.Second

// untilOpen returns the result of open. Nothing can interrupt open while the
// disk does not answer. In that time the service does not listen, and the log
// says why. If ctx ends first, untilOpen returns an error, and the program
// ends.
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
			log.Warn("the leave file is not open yet, and the service answers no request until it is: either its disk does not answer, or another process uses the file",
				"path", path, "waited", time.Since(began).Round(time.Second).String())
		case <-ctx.Done():
			var none T
			return none, fmt.Errorf("the leave file %s could not be opened in time: %w", path, ctx.Err())
		}
	}
}
