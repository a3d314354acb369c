package logqueue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/logqueue"
)

// bare formats records as their messages, so that lengths are known.
func bare(w io.Writer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.MessageKey || a.Key == "lines" {
			return a
		}
		return slog.Attr{}
	}})
}

// file records what is written and when. Its fields are set before use.
type file struct {
	start time.Time
	gate  chan struct{} // if set, a write waits for a value or the end of it
	fail  func(p []byte) (int, error)

	mu     sync.Mutex
	writes []string
	times  []time.Duration
}

func (f *file) Write(p []byte) (int, error) {
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := len(p), error(nil)
	if f.fail != nil {
		n, err = f.fail(p)
	}
	f.writes = append(f.writes, string(p[:n]))
	f.times = append(f.times, time.Since(f.start))
	return n, err
}

func (f *file) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.writes, "")
}

// start returns a logger to f through a queue that ends with the test.
func start(t *testing.T, f *file) (*logqueue.Queue, *slog.Logger) {
	t.Helper()
	f.start = time.Now()
	q := logqueue.Start(f, bare)
	t.Cleanup(func() { q.Close() })
	return q, slog.New(q.Handler())
}

func TestLinesWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{}
		_, log := start(t, f)
		log.Info("first")
		time.Sleep(60 * time.Millisecond)
		log.Debug("not enabled")
		log.Info("second")
		synctest.Wait()
		if got := f.text(); got != "" {
			t.Errorf("after 60 ms: wrote %q, want nothing", got)
		}
		time.Sleep(40 * time.Millisecond)
		synctest.Wait()
		if want := "msg=first\nmsg=second\n"; len(f.writes) != 1 || f.writes[0] != want || f.times[0] != 100*time.Millisecond {
			t.Errorf("wrote %q at %v, want %q once, after 100 ms", f.writes, f.times, want)
		}
	})
}

// TestUrgentLines: a warning or an error takes along what waits before it.
func TestUrgentLines(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelWarn, slog.LevelError} {
		t.Run(level.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &file{}
				_, log := start(t, f)
				log.With("a", 1).WithGroup("g").Info("before")
				time.Sleep(10 * time.Millisecond)
				log.With("a", 1).WithGroup("g").Log(t.Context(), level, "urgent")
				synctest.Wait()
				if got, want := f.text(), "msg=before\nmsg=urgent\n"; got != want || time.Since(f.start) != 10*time.Millisecond {
					t.Errorf("wrote %q %v after the start, want %q at once", got, time.Since(f.start), want)
				}
			})
		})
	}
}

// TestMuchIsNotHeldBack: enough for a batch does not wait for the 100 ms.
func TestMuchIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{}
		_, log := start(t, f)
		for range 40 {
			log.Info(strings.Repeat("x", 1000))
		}
		synctest.Wait()
		if got := len(f.text()); got < 32<<10 {
			t.Errorf("wrote %d bytes of 40 kB at once, want at least 32 KiB", got)
		}
	})
}

// TestWritesAreWholeLines: no write holds a part of a line, and none but that of
// a long line is more than a pipe takes whole.
func TestWritesAreWholeLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{}
		q, log := start(t, f)
		var want strings.Builder
		for i := range 200 { // less than the queue has room for
			message := strings.Repeat("x", i*271%9000)
			log.Info(message)
			fmt.Fprintf(&want, "msg=%s\n", cond(message == "", `""`, message))
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		if f.text() != want.String() {
			t.Errorf("wrote %d bytes, want %d: the same lines in the same order", len(f.text()), want.Len())
		}
		for _, w := range f.writes {
			if !strings.HasSuffix(w, "\n") || len(w) > 4096 && strings.Count(w, "\n") > 1 {
				t.Errorf("a write of %d bytes with %d line ends, want whole lines of at most 4096 bytes, or one line", len(w), strings.Count(w, "\n"))
			}
		}
	})
}

func cond(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func TestCallersAreInOrder(t *testing.T) {
	f := &file{}
	q, log := start(t, f)
	const callers, lines = 8, 500
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range lines {
				log.Log(t.Context(), slog.Level(4*(i%2)), fmt.Sprintf("%d.%d", c, i))
			}
		})
	}
	wg.Wait()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	next := map[int]int{}
	for line := range strings.Lines(f.text()) {
		var c, i int
		if _, err := fmt.Sscanf(line, "msg=%d.%d\n", &c, &i); err != nil || i != next[c] {
			t.Fatalf("got %q, want line %d of caller %d: %v", line, next[c], c, err)
		}
		next[c]++
	}
	for c := range callers {
		if next[c] != lines {
			t.Errorf("caller %d has %d lines, want %d", c, next[c], lines)
		}
	}
}

// TestStalledFile: what the queue has room for waits, all else is dropped and
// counted, and nobody waits.
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

// crowding is a handler that has other lines come first, as often as rounds says,
// when the log is about to tell of lost lines.
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

// TestNoticeFindsNoRoom: the line that tells of lost lines may be lost itself.
// What it would have told, the next one does.
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
					t.Fatalf("got %q: %v", line, err)
				}
				told += lines
			}
		}
		if lost := q.Status().Dropped; uint64(told) != lost || lost == 0 {
			t.Errorf("the log tells of %d lost lines, want %d", told, lost)
		}
	})
}

// wantNotice looks for the lines that were kept and for one that says how many
// were not.
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

// TestFailingFile: a full disk that took half of a line gets the other half when
// it has room again.
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
					t.Errorf("Close: %v, wrote %q", err, f.text())
				}
			})
		})
	}
}
