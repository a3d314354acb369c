package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// slowOpen is how long it may take to open the leave file before the log shows
// a warning. The log repeats the warning in the same interval until the file is open.
const slowOpen = 5 * time.Second

// untilOpen calls open, which opens the leave file, and returns the result.
// While the disk does not answer, nothing can interrupt open. In that time the
// service does not listen, and the log says why. If ctx ends first, untilOpen
// returns an error, and the program ends.
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
