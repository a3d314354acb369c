package service

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestDiskHangsAtStart checks a service that opens the leave file while the
// disk does not answer. The log must name the file, and the operator must still
// be able to end the program.
func TestDiskHangsAtStart(t *testing.T) {
	for name, wait := range map[string]time.Duration{"it answers": 17 * time.Second, "never": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var text strings.Builder
				log := slog.New(slog.NewTextHandler(&text, nil))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				answers := make(chan struct{})
				began := time.Now()
				if wait > 0 {
					time.AfterFunc(wait, func() { close(answers) })
				}
				opened, err := untilOpen(ctx, log, "/data/leaves", func() (int, error) {
					<-answers
					return 7, nil
				})
				switch took := time.Since(began); {
				case wait > 0 && (opened != 7 || err != nil || took != wait):
					t.Errorf("got %d, %v after %v, want the disk's answer after %v", opened, err, took, wait)
				case wait == 0 && (!errors.Is(err, context.DeadlineExceeded) || took != time.Minute):
					t.Errorf("got %v after %v, want the end of the program after a minute", err, took)
				}
				if want := min(int(time.Since(began)/slowOpen), 11); strings.Count(text.String(), "path=/data/leaves") < want {
					t.Errorf("want a warning every %v that names the file; the log has:\n%s", slowOpen, text.String())
				}
				if wait == 0 {
					close(answers)
				}
			})
		})
	}
}
