package logqueue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/logqueue"
)

// TestStalledFile checks the queue for a file that accepts no writes. The queue
// must keep as many lines as it has space for. It must drop and count all other
// lines. Callers must never wait.
func TestStalledFile(t *testing.T) {
	for name, c := range map[string]struct {
		length, sent, kept int
	}{
		"long lines, bounded by their bytes":   {length: 1020, sent: 2000, kept: 1 << 10},
		"short lines, bounded by their number": {length: 1, sent: 10_000, kept: 8192},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &file{gate: make(chan struct{})}
				q, log := start(t, f)
				line := strings.Repeat("x", c.length-1)
				for range c.sent {
					log.Warn(cond(line == "", "y", line))
				}
				synctest.Wait()
				lost := uint64(c.sent - c.kept)
				if s := q.Status(); s.Dropped != lost || s.Trouble != logqueue.LinesAreLost {
					t.Errorf("Status = %+v, want %d lines dropped and %q", s, lost, logqueue.LinesAreLost)
				}
				close(f.gate)
				synctest.Wait()
				wantNotice(t, f.text(), c.kept, lost)
				if s := q.Status(); s.Dropped != lost || s.Trouble != "" {
					t.Errorf("afterwards Status = %+v, want %d lines dropped and no trouble", s, lost)
				}
			})
		})
	}
}

// crowding is a handler that logs 9000 other lines just before each line that reports
// lost lines. It does this only for the first reports. rounds is the number of reports
// for which it will still do so.
type crowding struct {
	slog.Handler
	rounds *int
}

func (c crowding) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "log: lines were lost") && *c.rounds > 0 {
		*c.rounds--
		for range 9000 {
			_ = c.Handler.Handle(ctx, slog.NewRecord(r.Time, slog.LevelWarn, "crowd", 0))
		}
	}
	return c.Handler.Handle(ctx, r)
}

// TestNoticeFindsNoRoom checks what happens if the queue has no space for the line
// that reports lost lines. The next report must count these losses, too.
func TestNoticeFindsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, rounds := &file{gate: make(chan struct{})}, 2
		q := logqueue.Start(f, func(w io.Writer) slog.Handler { return crowding{bare(w), &rounds} })
		defer q.Close()
		for range 9000 {
			slog.New(q.Handler()).Warn("line")
		}
		close(f.gate)
		synctest.Wait()
		told := 0
		for line := range strings.Lines(f.text()) {
			var lines int
			if _, rest, ok := strings.Cut(line, " lines="); ok {
				if _, err := fmt.Sscan(rest, &lines); err != nil {
					t.Fatalf("got the line %q (%v), want a number of lines", line, err)
				}
				told += lines
			}
		}
		if lost := q.Status().Dropped; uint64(told) != lost || lost == 0 {
			t.Errorf("the log tells of %d lost lines, want %d", told, lost)
		}
	})
}

// wantNotice checks that text has the lines that were kept, and a line that
// says how many were lost.
func wantNotice(t *testing.T, text string, kept int, lost uint64) {
	t.Helper()
	notice := fmt.Sprintf("msg=\"log: lines were lost, because they came faster than they could be written\" lines=%d\n", lost)
	if lines := strings.Count(text, "\n"); lines != kept+1 || !strings.HasSuffix(text, notice) {
		t.Errorf("%d lines, the last is %q; want %d and %q", lines, text[max(0, len(text)-len(notice)):], kept+1, notice)
	}
}

func TestStatusOfAWriteThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{gate: make(chan struct{})}
		q, log := start(t, f)
		log.Warn("first")
		time.Sleep(999 * time.Millisecond)
		if s := q.Status(); s != (logqueue.Status{Waiting: 1}) {
			t.Errorf("after 999 ms: %+v, want one line that waits and no trouble", s)
		}
		time.Sleep(time.Millisecond)
		if s := q.Status(); s != (logqueue.Status{Waiting: 1, Trouble: logqueue.LinesWait}) {
			t.Errorf("after 1 s: %+v, want %q", s, logqueue.LinesWait)
		}
		close(f.gate)
		synctest.Wait()
		if s := q.Status(); s != (logqueue.Status{}) {
			t.Errorf("when it was written: %+v, want nothing to tell", s)
		}
	})
}

// TestFailingFile checks a full disk on which half of a line was written. The queue
// must write the other half when the disk has space again.
func TestFailingFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := true
		f := &file{fail: func(p []byte) (int, error) {
			if full {
				return min(len(p), 5), syscall.ENOSPC
			}
			return len(p), nil
		}}
		q, log := start(t, f)
		log.Warn("first")
		log.Warn("second")
		synctest.Wait()
		if s := q.Status(); s.Dropped != 0 || s.Trouble != logqueue.LinesWait || !errors.Is(s.Cause, syscall.ENOSPC) {
			t.Errorf("Status = %+v, want %q because of %v", s, logqueue.LinesWait, syscall.ENOSPC)
		}
		f.mu.Lock()
		full = false
		f.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := f.text(), "msg=first\nmsg=second\n"; got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
		if s := q.Status(); s != (logqueue.Status{}) {
			t.Errorf("afterwards %+v, want nothing to tell", s)
		}
	})
}
