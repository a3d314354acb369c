package logqueue

import (
	"context"
	"log/slog"
	"time"
)

// Handler returns the slog.Handler to log with. Lines of warnings and errors are
// written immediately, together with all lines before them.
func (q *Queue) Handler() slog.Handler { return handler{q.handler, q} }

// handler passes records to the handler that formats them. It wakes the queue for
// lines that must be written immediately.
type handler struct {
	slog.Handler
	queue *Queue
}

// Handle implements [slog.Handler].
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		signal(h.queue.now)
	}
	return err
}

// WithAttrs implements [slog.Handler].
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.queue}
}

// WithGroup implements [slog.Handler].
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.queue}
}

// report logs how many lines were lost since the last report. It is called when the
// queue is empty. If other lines have filled the queue in the meantime, the report is
// itself lost, and the next report counts all these lines.
func (q *Queue) report() {
	q.mu.Lock()
	dropped := q.dropped
	lost := dropped - q.reported
	q.mu.Unlock()
	if lost == 0 || !q.handler.Enabled(context.Background(), slog.LevelWarn) {
		return
	}
	record := slog.NewRecord(time.Now(), slog.LevelWarn, "log: lines were lost, because they came faster than they could be written", 0)
	record.AddAttrs(slog.Uint64("lines", lost))
	if q.Handler().Handle(context.Background(), record) == nil {
		q.reported = dropped // only the goroutine of Queue.run uses reported
	}
}
