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

// exchange is one request, with all data for the request's log line. It is also
// the request's ResponseWriter, so that it can record the status.
type exchange struct {
	http.ResponseWriter
	start  time.Time
	id     string // the request's id, for the log and the answer
	status int    // the status of the answer; 0 until the answer begins

	client   netip.Addr
	told     bool               // whether a trusted proxy named the client's address
	route    string             // the pattern of the route; "" for an unknown route
	openid   matrix.OpenIDToken // the token that proves the user; zero if the user is proved without such a token
	via      string             // who forwarded the request; "" if nobody did
	endpoint string             // the endpoint's name in the metrics, if the homeserver sent the request
	caller   string             // the user or server that sent the request, as a header from the homeserver names it
	remote   matrix.ServerName  // the server from whose SFU the client wants a token; zero for our SFU
	asked    asked
	got      access.Admission
	event    *sfu.Event // the event of a verified webhook
	cause    string
	err      error
}

// asked holds the user and the room in a request that the homeserver forwarded.
// The log shows them only if the service refuses the request.
type asked struct {
	user string
	room sfu.Room
}

// exchangeOf returns w as an exchange. The middleware [Handler.observe] makes
// every ResponseWriter an exchange.
func exchangeOf(w http.ResponseWriter) *exchange { return w.(*exchange) }

// requestTimeout bounds one whole request. It is less than 30 s, because
// Synapse waits 30 s for the answer to a forwarded request. The field
// Request.By of package access tells when this time ends.
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

// Unwrap returns the wrapped ResponseWriter. http.ResponseController calls
// Unwrap to reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// observe is the outermost middleware. It counts each request, and writes the
// request's log line.
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
		// This code does not call h.Log.LogAttrs, which would also look up the
		// position in this source file. That takes time, and no log handler shows the
		// position.
		now := time.Now()
		record := slog.NewRecord(now, level, "request", 0)
		x.addTo(&record, r, now.Sub(x.start))
		_ = h.Log.Handler().Handle(r.Context(), record)
	}
}

// level returns the level of the request's log line.
//
//   - Error: a status 5xx except 503.
//   - Warning: 401, 429, a leave over a limit, a wrong hs_token.
//   - Debug: health probes, files of the connection test, and webhooks about
//     other events than joining and leaving.
//   - Info: all other lines, also those with the status 503.
func (x *exchange) level() slog.Level {
	switch {
	case x.cause == malformed.cause: // net/http could not read the request, so this is no fault of this program, even with the status 505
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

// onRefusal records the room of a request that the service refuses, so that the
// log shows the room.
func (x *exchange) onRefusal(what *access.Request, err *error) {
	if *err != nil {
		x.asked.room = what.LiveKitRoom()
	}
}

// room returns the room on LiveKit that the request is about.
func (x *exchange) room() sfu.Room {
	if x.event != nil {
		return x.event.Room
	}
	return cmp.Or(x.got.Room, x.asked.room)
}

// maxLogged is how many bytes of a stranger's text the log shows. maxStack is
// how many bytes of this program's own stack trace the log shows.
const (
	maxLogged = 512
	maxStack  = 4096
)

// addTo adds to the log record all that is known about the request. Strangers
// can choose some of the texts. The handlers of log/slog escape characters that
// could forge a log line.
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

// failureAttrs returns the details of err as attributes of the log line. Most
// of these details come from a homeserver.
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
