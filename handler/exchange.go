package handler

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/go-chi/chi/v5"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// exchange is one request and all that becomes known of it until its one line
// in the log. It carries the answer, too, to see the status.
type exchange struct {
	http.ResponseWriter
	start  time.Time
	status int // 0 until the answer begins

	client netip.Addr
	told   bool   // a trusted proxy told who the client is
	route  string // a pattern, "" for an unknown one
	asker  asker
	user   matrix.UserID // verified
	room   sfu.Room
	guest  bool        // may join the room, but not make it
	leave  *delegation // handed over, nil if none was
	event  *sfu.Event  // of a webhook that is the SFU's
	cause  string
	err    error
}

// exchangeOf returns the exchange that w belongs to: observe has put it before
// every handler.
func exchangeOf(w http.ResponseWriter) *exchange { return w.(*exchange) }

// requestTimeout bounds a request as a whole.
const requestTimeout = 25 * time.Second

// bounded returns a context that ends in time for an answer, for something
// that takes at most most by itself: ctx, unless the request is late already.
// (A context of its own for every request costs 2 µs.)
func (x *exchange) bounded(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	end := x.start.Add(requestTimeout)
	if time.Until(end) >= most {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, end)
}

func (x *exchange) WriteHeader(status int) {
	x.status = status
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// observe is the outermost middleware: it writes the log line and counts.
func (h *Handler) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, start: time.Now()}
		x.client, x.told = h.Proxies.client(r)
		defer h.record(x, r)
		next.ServeHTTP(x, r)
	})
}

func (h *Handler) record(x *exchange, r *http.Request) {
	if x.route == "" {
		x.route = chi.RouteContext(r.Context()).RoutePattern()
	}
	h.Metrics.Request(x.route, x.status)
	if level := x.level(); h.Log.Enabled(r.Context(), level) {
		// Not h.Log.LogAttrs: that looks up the caller's line for nothing.
		now := time.Now()
		record := slog.NewRecord(now, level, "request", 0)
		x.addTo(&record, r, now.Sub(x.start))
		_ = h.Log.Handler().Handle(r.Context(), record)
	}
}

func (x *exchange) level() slog.Level {
	switch {
	case x.status >= 500 && x.status != http.StatusServiceUnavailable:
		return slog.LevelError
	case x.status == http.StatusUnauthorized || x.status == http.StatusTooManyRequests || x.cause == delegationLimit:
		return slog.LevelWarn
	case x.route == routeHealth || x.event != nil && x.event.Kind == sfu.KindOther:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// maxLogged is how many bytes of a text that a stranger may have written go
// into a log line; maxStack is for our own.
const (
	maxLogged = 512
	maxStack  = 4096
)

// addTo adds what is known. The handlers of log/slog escape what could forge a
// line.
func (x *exchange) addTo(record *slog.Record, r *http.Request, took time.Duration) {
	attrs := make([]slog.Attr, 0, 18)
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, clip(value, maxLogged)))
		}
	}
	text("method", r.Method)
	if x.route != "" {
		text("route", x.route)
	} else {
		text("path", r.URL.Path)
	}
	attrs = append(attrs, slog.Int("status", x.status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	if x.client.IsValid() {
		text("client", x.client.String())
	}
	text("user", x.user.String())
	text("room", string(x.room))
	if x.guest {
		text("note", "no room was created: "+x.user.Server().String()+" is not in LIVEKIT_FULL_ACCESS_HOMESERVERS")
	}
	if x.leave != nil {
		text("delay_hash", x.leave.id.Hash())
		attrs = append(attrs, slog.Duration("delay", x.leave.delay))
	}
	if x.event != nil {
		text("event", x.event.Name)
		text("identity", string(x.event.Identity))
		text("session", x.event.Session)
	}
	text("cause", x.cause)
	if x.err != nil {
		attrs = append(attrs, failureAttrs(x.asker, x.err)...)
	}
	record.AddAttrs(attrs...)
}

// failureAttrs are the details of an error, most of them a homeserver's.
func failureAttrs(who asker, err error) []slog.Attr {
	var attrs []slog.Attr
	if !who.token.Server.IsZero() {
		attrs = append(attrs, slog.String("server", clip(who.token.Server.String(), maxLogged)),
			slog.String("token_hash", who.token.AccessToken.Hash()))
	}
	if e, ok := errors.AsType[*matrix.VerifyError](err); ok {
		if e.Addr != "" {
			attrs = append(attrs, slog.String("address", clip(e.Addr, maxLogged)))
		}
		if err = e.Err; err == nil {
			return attrs
		}
	}
	attrs = append(attrs, slog.String("error", clip(err.Error(), maxLogged)))
	if e, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.Any("panic", e.value), slog.String("stack", clip(string(e.stack), maxStack)))
	}
	return attrs
}

// clip shortens s to at most limit bytes of whole characters and an ellipsis,
// and replaces what a terminal would not show as a character: log/slog escapes
// only what could end a line.
func clip(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	if strings.ContainsFunc(s, isInvisible) {
		s = strings.Map(func(r rune) rune {
			if isInvisible(r) {
				return unicode.ReplacementChar
			}
			return r
		}, s)
	}
	if cut {
		s += "…"
	}
	return s
}

func isInvisible(r rune) bool { return r > '~' && !unicode.IsPrint(r) || r == 0x7f }
