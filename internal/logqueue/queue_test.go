package logqueue_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/logqueue"
)

// bare formats each record as its message alone, so that the length of a line
// is known.
func bare(w io.Writer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.MessageKey || a.Key == "lines" {
			return a
		}
		return slog.Attr{}
	}})
}

// file records what is written to it, and when. A test sets its fields before
// it uses the file.
type file struct {
	start time.Time
	gate  chan struct{} // if set, each write waits until the test sends a value or closes the channel
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

// start returns a logger that writes to f through a queue. The queue ends with
// the test.
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

// TestUrgentLines checks that a warning or an error is written immediately,
// together with the lines before it.
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

// TestMuchIsNotHeldBack checks that the queue does not wait the usual 100 ms if
// many lines are waiting.
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

// TestWritesAreWholeLines checks that each write holds only whole lines. A pipe
// accepts at most 4096 bytes as a whole. So a write of several lines must not be
// longer.
func TestWritesAreWholeLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{}
		q, log := start(t, f)
		var want strings.Builder
		for i := range 200 { // the queue has space for all these lines
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
