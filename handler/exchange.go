package handler

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// exchange is one request and all that becomes known of it until its one line
// in the log. It carries the answer, too, to see the status.
type exchange struct {
	http.ResponseWriter
	start  time.Time
	id     string // of the request, for the log and the answer
	status int    // 0 until the answer begins

	client   netip.Addr
	told     bool               // a trusted proxy told who the client is
	route    string             // a pattern, "" for an unknown one
	openid   matrix.OpenIDToken // that proves who asks; zero for other proofs
	via      string             // who passed the request on, "" for nobody
	endpoint string             // of those for the homeserver, for the metrics
	caller   string             // who asks, as the homeserver says; not parsed
	remote   matrix.ServerName  // whose SFU a client wants; zero for ours
	asked    asked
	got      access.Admission
	event    *sfu.Event // of a webhook that is the SFU's
	cause    string
	err      error
}

// asked is what a request that a homeserver passed on says of itself, for the
// log of one that is refused.
type asked struct {
	user string
	room sfu.Room
}

// exchangeOf returns the exchange that w belongs to: observe has put it before
// every handler.
func exchangeOf(w http.ResponseWriter) *exchange { return w.(*exchange) }

// requestTimeout bounds a request as a whole.
const requestTimeout = 25 * time.Second

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
		x.id = h.Proxies.requestID(r)
		w.Header()[headerRequestID] = []string{x.id}
		defer h.record(x, r)
		next.ServeHTTP(x, r)
	})
}

func (h *Handler) record(x *exchange, r *http.Request) {
	if x.route == "" {
		x.route = chi.RouteContext(r.Context()).RoutePattern()
	}
	h.Metrics.Request(x.route, x.status)
	if x.endpoint != "" {
		h.Metrics.AppServiceRequest(x.via, x.endpoint, x.cause)
	}
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
	case x.cause == malformed.cause: // also where HTTP has a status over 500 for it
		return slog.LevelInfo
	case x.status >= 500 && x.status != http.StatusServiceUnavailable:
		return slog.LevelError
	case x.status == http.StatusUnauthorized || x.status == http.StatusTooManyRequests || x.cause == access.DelegationLimit || x.cause == causeTokenWrong:
		return slog.LevelWarn
	case x.route == routeHealth || isTestFile(x.route) || x.event != nil && x.event.Kind == sfu.KindOther:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// onRefusal notes for the log which room a request is about that is refused.
func (x *exchange) onRefusal(what *access.Request, err *error) {
	if *err != nil {
		x.asked.room = what.LiveKitRoom()
	}
}

// room is the one that the request is about.
func (x *exchange) room() sfu.Room {
	if x.event != nil {
		return x.event.Room
	}
	return cmp.Or(x.got.Room, x.asked.room)
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
	attrs := make([]slog.Attr, 0, 19)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, text.Clip(value, maxLogged)))
		}
	}
	add("method", r.Method)
	if x.route != "" {
		add("route", x.route)
	} else {
		add("path", r.URL.Path)
	}
	attrs = append(attrs, slog.Int("status", x.status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	add("request_id", x.id)
	if x.client.IsValid() {
		add("client", x.client.String())
	}
	add("via", x.via)
	if x.via == viaFederation {
		add("origin", x.caller)
	}
	add("remote", x.remote.String())
	add("user", cmp.Or(x.got.User.String(), x.asked.user))
	add("room", string(x.room()))
	if x.got.RoomNotMade {
		add("note", "no room was created: "+x.got.User.Server().String()+" is not in LIVEKIT_FULL_ACCESS_HOMESERVERS")
	}
	if x.got.Leave != nil {
		add("delay_hash", x.got.Leave.ID.Hash())
		attrs = append(attrs, slog.Duration("delay", x.got.Leave.Delay))
	}
	if x.event != nil {
		add("event", x.event.Name)
		add("identity", string(x.event.Identity))
		add("session", x.event.Session)
	}
	add("cause", x.cause)
	if x.err != nil {
		attrs = append(attrs, failureAttrs(x.openid, x.err)...)
	}
	record.AddAttrs(attrs...)
}

// failureAttrs are the details of an error, most of them a homeserver's.
func failureAttrs(proof matrix.OpenIDToken, err error) []slog.Attr {
	var attrs []slog.Attr
	if !proof.Server.IsZero() {
		attrs = append(attrs, slog.String("server", text.Clip(proof.Server.String(), maxLogged)),
			slog.String("token_hash", proof.AccessToken.Hash()))
	}
	if e, ok := errors.AsType[*matrix.VerifyError](err); ok {
		if e.Addr != "" {
			attrs = append(attrs, slog.String("address", text.Clip(e.Addr, maxLogged)))
		}
		if err = e.Err; err == nil {
			return attrs
		}
	}
	attrs = append(attrs, slog.String("error", text.Clip(err.Error(), maxLogged)))
	if e, ok := errors.AsType[*fault.Error](err); ok {
		attrs = append(attrs, slog.String("panic", text.Clip(fmt.Sprint(e.Value), maxLogged)),
			slog.String("stack", string(e.Stack[:min(len(e.Stack), maxStack)])))
	}
	return attrs
}
