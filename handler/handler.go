// Package handler speaks HTTP with clients: routes, CORS, limits, decoding,
// Matrix errors and the request log. What a request means is decided by the
// packages below it; this one asks who is asking, and hands out what they get.
package handler

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/go-chi/chi/v5"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/semaphore"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// Handler serves the endpoints for clients. All fields but
// AppService, TestPage, Observers, Closed and Metrics are required; it must not be copied, nor changed after Routes.
type Handler struct {
	// Access decides what callers get.
	Access *access.Authorizer
	// URL is the SFU's, as clients get it.
	URL string
	// AppService serves the homeserver at which this service is registered; nil
	// while it is registered nowhere.
	AppService *AppService
	// Webhooks proves that a webhook is the SFU's, and a caller of /_status
	// the operator.
	Webhooks sfu.Webhooks
	// Observers hear of what webhooks report.
	Observers []Observer
	// Closed, if set, is told at once of each room that the SFU has closed.
	Closed func(sfu.Room)
	// Health, LogStatus and Leaves, if set, say how the service does. They are
	// asked for every /healthz and /_status, and answer within a second.
	Health    func() Health
	LogStatus func() LogStatus
	Leaves    func(ctx context.Context) LeaveStatus
	// MembershipStatus, if set, says how membership is enforced.
	MembershipStatus func() MembershipStatus
	// TestPage serves the connection test; nil while it is switched off.
	TestPage *TestPage
	// Homeservers, if set, says where the named ones are asked, for /_status.
	Homeservers func() []matrix.Use

	// Proxies may say who the client is.
	Proxies Proxies
	// InProgress bounds the requests in progress of a client network behind the
	// proxies. nil: no limit.
	InProgress *semaphore.Keyed[netip.Prefix]

	Log     *slog.Logger
	Metrics metrics.Metrics
	// Version is what /healthz tells.
	Version string

	draining atomic.Bool
	received received
	bodies   *bodyReader
	urlJSON  string
	mux      *chi.Mux
}

// routeDelegate is a promise by being there: clients take every answer but 404
// for one.
const routeDelegate = "/delegate_delayed_leave"

// Routes returns the endpoints.
func (h *Handler) Routes() http.Handler {
	h.bodies = newBodyReader()
	h.urlJSON = quoteJSON(h.URL)
	h.mux = chi.NewRouter()
	h.mux.Use(h.observe, collapseSlashes, h.cors, recoverPanic, h.shareProgress, h.closeWhenDraining)
	h.mux.Post("/", h.tokens(decodeSFUGet))
	h.mux.Post("/sfu/get", h.tokens(decodeSFUGet))
	h.mux.Post("/get_token", h.tokens(decodeGetToken))
	h.mux.Post(routeDelegate, h.whenOffered(serveJSON(h.bodies, h.delegate)))
	h.mux.Post("/sfu_webhook", h.webhook)
	h.mux.Get(routeHealth, h.health)
	h.mux.Head(routeHealth, h.health)
	if h.AppService != nil {
		h.AppService.routes(h)
	}
	if h.TestPage != nil {
		h.TestPage.routes(h)
	}
	h.mux.NotFound(h.noRoute)
	h.mux.MethodNotAllowed(h.noRoute)
	return h.mux
}

// whenOffered serves with next while there is delegation.
func (h *Handler) whenOffered(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !h.Access.Delegation.Offered() {
			h.noRoute(w, r)
			return
		}
		next(w, r)
	}
}

// Drain makes /healthz answer 503 from now on, and every connection end with its
// next answer: the service is about to end.
func (h *Handler) Drain() { h.draining.Store(true) }

func (h *Handler) tokens(decode decoder) http.HandlerFunc {
	return serveJSON(h.bodies, func(ctx context.Context, x *exchange, body []byte) (tokenAnswer, error) {
		return h.tokenRequest(ctx, x, decode, body)
	})
}

// noRoute answers what no route matches: 405 if the path has one for another
// method, else 404.
func (h *Handler) noRoute(w http.ResponseWriter, r *http.Request) {
	if h.asksStatus(r) {
		h.status(w, r)
		return
	}
	discardBody(w, r)
	route, methods := h.find(r)
	if route == "" {
		fail(w, r, errNoRoute)
		return
	}
	exchangeOf(w).route = route
	w.Header()["Allow"] = []string{methods}
	fail(w, r, errNoMethod)
}

// find returns the route of a request whatever its method, "" if there is
// none now, and the methods it has.
func (h *Handler) find(r *http.Request) (route, methods string) {
	path := chi.RouteContext(r.Context()).RoutePath
	if path == routeDelegate && !h.Access.Delegation.Offered() {
		return "", ""
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		if found := h.mux.Find(chi.NewRouteContext(), method, path); found != "" {
			route = found
			if methods != "" {
				methods += ", "
			}
			methods += method
		}
	}
	return route, methods
}

// quoteJSON returns text as a JSON string that any reader of JSON, or of text,
// finds it in again.
func quoteJSON(text string) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string always has a JSON form
	}
	return strings.TrimSpace(quoted.String())
}
