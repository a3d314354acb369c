//go:build unix

package logqueue_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"matrixrtc-auth/internal/logqueue"
)

// BenchmarkLines logs lines like those of token requests to a file: first directly, with
// one write for each line, then through the queue. It reports how many writes the queue
// makes per line. It also reports the time of the direct way divided by the time of
// the queue, and the same for the CPU time.
func BenchmarkLines(b *testing.B) {
	const lines = 2000 // the queue has space for all of them
	single, batched := &sink{file: create(b)}, &sink{file: create(b), full: make(chan struct{})}
	direct := slog.NewTextHandler(single, nil)
	q := logqueue.Start(batched, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) })
	var one, many cost
	for b.Loop() {
		one.add(b, func() { logLines(b, direct, lines) })
		many.add(b, func() {
			batched.awaited = lines
			logLines(b, q.Handler(), lines)
			<-batched.full
		})
	}
	if err := q.Close(); err != nil {
		b.Fatal(err)
	}
	n := float64(b.N * lines)
	b.ReportMetric(float64(batched.writes)/n, "writes/line")
	b.ReportMetric(float64(one.wall)/n, "ns/line-direct")
	b.ReportMetric(float64(many.wall)/n, "ns/line-queue")
	b.ReportMetric(float64(one.wall)/float64(many.wall), "direct/queue-time")
	b.ReportMetric(float64(one.cpu)/float64(many.cpu), "direct/queue-CPU")
}

// logLines logs the given number of lines. The last line is a warning, so that the
// queue writes immediately.
func logLines(b *testing.B, h slog.Handler, lines int) {
	level := slog.LevelInfo
	for i := range lines {
		if i == lines-1 {
			level = slog.LevelWarn
		}
		r := slog.NewRecord(time.Now(), level, "request", 0)
		r.AddAttrs(slog.String("method", "POST"), slog.String("route", "/sfu/get"), slog.Int("status", 200),
			slog.Float64("duration_ms", 1.234), slog.String("client", "203.0.113.9"), slog.String("user", "@alice:example.org"),
			slog.String("room", "TK4o8wNCXi5t5936bOvIzE/X3XFc7cgp3jGRDqK0j5E"))
		if err := h.Handle(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// sink is a log file. It counts down the field awaited for each line, and closes the
// channel in the field full when no awaited line is left.
type sink struct {
	file    *os.File
	writes  int
	awaited int
	full    chan struct{} // is closed after the last awaited line; nil if the test awaits none
}

func (s *sink) Write(p []byte) (int, error) {
	s.writes++
	n, err := s.file.Write(p)
	if s.full != nil {
		if s.awaited -= bytes.Count(p, []byte("\n")); s.awaited == 0 {
			s.full <- struct{}{}
		}
	}
	return n, err
}

func create(b *testing.B) *os.File {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

// cost is the time and the CPU time that some work takes.
type cost struct{ wall, cpu time.Duration }

func (c *cost) add(b *testing.B, work func()) {
	b.Helper()
	start, used := time.Now(), cpuTime(b)
	work()
	c.wall += time.Since(start)
	c.cpu += cpuTime(b) - used
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
