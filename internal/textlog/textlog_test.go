package textlog_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"matrixrtc-auth/internal/textlog"
)

// both formats a record with this package and with log/slog. It returns both lines.
func both(t *testing.T, r slog.Record, change func(slog.Handler) slog.Handler) (got, want string) {
	t.Helper()
	var ours, theirs bytes.Buffer
	for _, h := range []slog.Handler{textlog.New(&ours, nil), slog.NewTextHandler(&theirs, nil)} {
		if err := change(h).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return ours.String(), theirs.String()
}

func same(h slog.Handler) slog.Handler { return h }

// FuzzText checks that texts and times are written as log/slog writes them.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "request", "a b", "a=b", `a"b`, `a\b`, "a\nb", "\x7f", "é", "\xff", "\u00a0", "a\x00", "\t", "!RoOm:x.org"} {
		f.Add("msg", "key", text, int64(1_800_000_000_123_456_789), 1.5, 3600)
		f.Add(text, "key", "value", int64(0), math.Inf(1), 0)
		f.Add("msg", text, "value", int64(-1), math.NaN(), -43200)
	}
	f.Add("msg", "key", "value", int64(math.MaxInt64), 1e21, 1)
	f.Fuzz(func(t *testing.T, message, key, value string, at int64, number float64, zone int) {
		if zone < -86399 || zone > 86399 {
			return // no clock has such a zone
		}
		r := slog.NewRecord(time.Unix(0, at).In(time.FixedZone("", zone)), slog.LevelInfo, message, 0)
		r.AddAttrs(slog.String(key, value), slog.Int64("int", at), slog.Float64("float", number),
			slog.Duration("duration", time.Duration(at)), slog.String("last", value))
		if got, want := both(t, r, same); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue("a value") }

// TestRecords checks that every kind of record is written as log/slog writes
// it.
func TestRecords(t *testing.T) {
	now := time.Date(2026, 11, 30, 1, 2, 3, 4_999_999, time.UTC)
	for name, c := range map[string]struct {
		at     time.Time
		level  slog.Level
		change func(slog.Handler) slog.Handler
		attrs  []slog.Attr
	}{
		"no attributes":     {now, slog.LevelInfo, same, nil},
		"no time":           {time.Time{}, slog.LevelInfo, same, nil},
		"local time":        {now.Local(), slog.LevelInfo, same, nil},
		"five digits":       {now.AddDate(20_000, 0, 0), slog.LevelInfo, same, nil},
		"year 999":          {now.AddDate(-1027, 0, 0), slog.LevelInfo, same, nil},
		"end of a year":     {time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC), slog.LevelInfo, same, nil},
		"another level":     {now, slog.LevelWarn + 1, same, nil},
		"an empty one":      {now, slog.LevelInfo, same, []slog.Attr{{}, slog.String("a", "b")}},
		"a group":           {now, slog.LevelInfo, same, []slog.Attr{slog.Group("g", "a", "b c"), slog.String("a", "b")}},
		"kinds":             {now, slog.LevelInfo, same, []slog.Attr{slog.Bool("b", true), slog.Uint64("u", 7), slog.Time("t", now)}},
		"any":               {now, slog.LevelInfo, same, []slog.Attr{slog.Any("e", errors.New("an error")), slog.Any("n", nil), slog.Any("v", valuer{})}},
		"many":              {now, slog.LevelInfo, same, many()},
		"handler's own":     {now, slog.LevelInfo, func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.Int("x", 1)}) }, many()},
		"handler's group":   {now, slog.LevelInfo, func(h slog.Handler) slog.Handler { return h.WithGroup("g") }, many()},
		"a line of a token": {now, slog.LevelInfo, same, line()},
	} {
		t.Run(name, func(t *testing.T) {
			r := slog.NewRecord(c.at, c.level, "request", 0)
			r.AddAttrs(c.attrs...)
			if got, want := both(t, r, c.change); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// many returns attributes that make a line longer than a buffer.
func many() (attrs []slog.Attr) {
	for range 100 {
		attrs = append(attrs, slog.String("key", "a value"), slog.Int("n", -5))
	}
	return attrs
}

// line returns the attributes that the log shows for a request for a token.
func line() []slog.Attr {
	return []slog.Attr{slog.String("method", "POST"), slog.String("route", "/get_token"), slog.Int("status", 200),
		slog.Float64("duration_ms", 1.234), slog.String("request_id", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
		slog.String("client", "203.0.113.9"), slog.String("user", "@alice:example.org"),
		slog.String("room", "TK4o8wNCXi5t5936bOvIzE/X3XFc7cgp3jGRDqK0j5E"),
		slog.String("note", "no room was created: example.org is not in LIVEKIT_FULL_ACCESS_HOMESERVERS")}
}

func TestLevel(t *testing.T) {
	h := textlog.New(io.Discard, slog.LevelWarn)
	for level, want := range map[slog.Level]bool{slog.LevelInfo: false, slog.LevelWarn: true} {
		t.Run(level.String(), func(t *testing.T) {
			if got := h.Enabled(t.Context(), level); got != want {
				t.Errorf("Enabled(%v): got %t, want %t", level, got, want)
			}
		})
	}
}

// full is a file on a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteFails(t *testing.T) {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
	if err := textlog.New(full{}, nil).Handle(t.Context(), r); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Handle: got %v, want %v", err, io.ErrShortWrite)
	}
}

func BenchmarkLine(b *testing.B) {
	for name, h := range map[string]slog.Handler{"log/slog": slog.NewTextHandler(io.Discard, nil), "textlog": textlog.New(io.Discard, nil)} {
		b.Run(name, func(b *testing.B) {
			r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
			r.AddAttrs(line()...)
			for b.Loop() {
				if err := h.Handle(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
