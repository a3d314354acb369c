package logqueue_test

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestCloseWritesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{}
		q, log := start(t, f)
		log.Info("last")
		err := q.Close()
		if got, want := f.text(), "msg=last\n"; err != nil || got != want || time.Since(f.start) != 0 {
			t.Errorf("Close: %v after %v, wrote %q; want %q at once", err, time.Since(f.start), got, want)
		}
		log.Warn("too late")
		time.Sleep(time.Second)
		if again := q.Close(); again != nil || f.text() != "msg=last\n" {
			t.Errorf("a line after Close: error %v, wrote %q; want it dropped", again, f.text())
		}
	})
}

func TestCloseWaitsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{gate: make(chan struct{})}
		q, log := start(t, f)
		log.Warn("first")
		log.Warn("second")
		if err := q.Close(); err == nil || time.Since(f.start) != time.Second {
			t.Errorf("Close of a stalled file: error %v after %v, want an error after 1 s", err, time.Since(f.start))
		}
		close(f.gate)
	})
}

// TestCloseTriesOnceMore: a file that failed a moment ago gets a last attempt.
func TestCloseTriesOnceMore(t *testing.T) {
	for name, works := range map[string]bool{"works again": true, "fails again": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				f := &file{fail: func(p []byte) (int, error) {
					if attempts++; attempts > 1 && works {
						return len(p), nil
					}
					return 0, syscall.EPIPE
				}}
				q, log := start(t, f)
				log.Warn("line")
				synctest.Wait()
				err := q.Close()
				if attempts != 2 || time.Since(f.start) != 0 {
					t.Errorf("%d attempts, %v; want 2 at once", attempts, time.Since(f.start))
				}
				if works != (err == nil) || works != (f.text() == "msg=line\n") || !works && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("Close = %v, wrote %q; want it to work: %v", err, f.text(), works)
				}
			})
		})
	}
}
