// Package textlog writes the same lines as [slog.TextHandler], in less time.
//
// It formats usual records itself. The attributes of a usual record are numbers,
// durations and texts of printable ASCII. It passes all other records to
// slog.TextHandler.
package textlog

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"
)

// New returns a handler. The lines that it writes to w are the same as those of
// slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}). The handler may call
// w.Write in several goroutines at the same time.
func New(w io.Writer, level slog.Leveler) slog.Handler {
	return &handler{slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}), w}
}

// handler formats records itself as long as no attributes or groups were added to
// it. After that, slog.TextHandler formats all records.
type handler struct {
	slog.Handler
	w io.Writer
}

// lines holds buffers for lines. A usual line takes 300 bytes.
var lines = sync.Pool{New: func() any { return new([512]byte) }}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	space := lines.Get().(*[512]byte)
	defer lines.Put(space)
	line, ok := appendRecord(space[:0], r)
	if !ok {
		return h.Handler.Handle(ctx, r)
	}
	_, err := h.w.Write(line)
	return err
}

// appendRecord appends the line for r. ok is false if it cannot format r, for
// example because a key must be quoted. Then slog.TextHandler must format r.
func appendRecord(b []byte, r slog.Record) (line []byte, ok bool) {
	if b, ok = appendTime(append(b, "time="...), r.Time); !ok {
		return nil, false
	}
	b = append(append(b, " level="...), r.Level.String()...)
	if b, ok = appendText(append(b, " msg="...), r.Message); !ok {
		return nil, false
	}
	for a := range r.Attrs {
		if kindOf(a.Key) != bare {
			return nil, false
		}
		b = append(append(append(b, ' '), a.Key...), '=')
		if b, ok = appendValue(b, a.Value); !ok {
			return nil, false
		}
	}
	return append(b, '\n'), true
}

// appendTime appends t with milliseconds. ok is false if the year does not have
// four digits.
func appendTime(b []byte, t time.Time) (_ []byte, ok bool) {
	if year := t.Year(); t.IsZero() || year < 1000 || year > 9999 {
		return b, false
	}
	seconds := len(b) + len("2006-01-02T15:04:05")
	b = t.AppendFormat(b, time.RFC3339)
	ms := t.Nanosecond() / 1e6
	return slices.Insert(b, seconds, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10)), true
}

func appendValue(b []byte, v slog.Value) (_ []byte, ok bool) {
	switch v.Kind() {
	case slog.KindString:
		return appendText(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10), true
	case slog.KindFloat64:
		return strconv.AppendFloat(b, v.Float64(), 'g', -1, 64), true
	case slog.KindDuration:
		return append(b, v.Duration().String()...), true
	}
	return b, false
}

// kind says how a text is written.
type kind int

const (
	bare   kind = iota // without quotation marks
	quoted             // between quotation marks
	other              // this package does not write such a text: slog.TextHandler does
)

func appendText(b []byte, text string) (_ []byte, ok bool) {
	switch kindOf(text) {
	case bare:
		return append(b, text...), true
	case quoted:
		return append(append(append(b, '"'), text...), '"'), true
	}
	return b, false
}

func kindOf(text string) kind {
	k := bare
	if text == "" {
		k = quoted
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' || c == '=':
			k = quoted
		case c < ' ' || c > '~' || c == '"' || c == '\\':
			return other
		}
	}
	return k
}
