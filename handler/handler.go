// Package handler speaks HTTP with clients: routes, CORS, limits, decoding,
// Matrix errors and the request log. It finds out who asks for what. Package
// access decides what the caller gets.
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

// Handler serves the endpoints for clients. Some fields are optional:
// AppService, TestPage, Observers, Closed, Metrics, and each field whose
// comment says so. All other fields are required. After Routes, nobody may
// change the Handler. Nobody may copy a Handler.
type Handler struct {
	// Access decides what each caller gets.
	Access *access.Authorizer
	// URL is the URL of the SFU. Clients get it with their token.
	URL string
	// AppService serves the homeserver at which this service is registered. It
	// is nil if there is no such homeserver.
	AppService *AppService
	// Webhooks verifies that a webhook comes from the SFU. It also verifies
	// that a request for /_status comes from the operator.
	Webhooks sfu.Webhooks
	// Observers get the events of webhooks.
	Observers []Observer
	// Closed, if set, is called for each room that the SFU has closed, as soon
	// as the SFU's webhook arrives.
	Closed func(sfu.Room)
	// Health, LogStatus and Leaves, if set, return the state of the service.
	// Each call of /healthz or /_status calls them. They must return within a
	// second.
	Health    func() Health
	LogStatus func() LogStatus
	Leaves    func(ctx context.Context) LeaveStatus
	// MembershipStatus, if set, returns how this service enforces membership.
	MembershipStatus func() MembershipStatus
	// TestPage serves the page of the connection test; nil if the operator
	// switched it off.
	TestPage *TestPage
	// Homeservers, if set, returns the homeservers that the operator named, and
	// the addresses at which this service asks them. /_status shows these
	// addresses.
	Homeservers func() []matrix.Use

	// Proxies are the reverse proxies that the service trusts to name a
	// client's address.
	Proxies Proxies
	// InProgress bounds how many requests of one client network can be in
	// progress at the same time. It counts only requests for which one of Proxies
	// named the client's address. nil means no limit.
	InProgress *semaphore.Keyed[netip.Prefix]

	Log     *slog.Logger
	Metrics metrics.Metrics
	// Version is the version of the service that /healthz shows.
	Version string

	draining atomic.Bool
	received received
	bodies   *bodyReader
	urlJSON  string
	mux      *chi.Mux
}

// routeDelegate is the path of the endpoint for leaves. If the service does not
// take over leaves, the endpoint answers 404. After any other answer, clients
// expect that the service takes over leaves.
const routeDelegate = "/delegate_delayed_leave"

// Routes returns the handler of all endpoints.
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
	if h.TestPage != nil { // if LIVEKIT_TEST_PAGE is off, requests for /test get 404
		h.TestPage.routes(h)
	}
	h.mux.NotFound(h.noRoute)
	h.mux.MethodNotAllowed(h.noRoute)
	return h.mux
}

// whenOffered calls next if the service takes over leaves. Otherwise it answers
// 404. Clients send a request without a body to find out whether the service
// takes over leaves. For these clients, the 404 means no. If whenOffered calls
// next, such a request gets 400 M_NOT_JSON, which means yes.
func (h *Handler) whenOffered(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !h.Access.Delegation.Offered() {
			h.noRoute(w, r)
			return
		}
		next(w, r)
	}
}

// Drain makes /healthz answer 503 from now on, and makes the service close each
// connection after its next answer. Package service calls Drain before the
// service ends.
func (h *Handler) Drain() { h.draining.Store(true) }

func (h *Handler) tokens(decode decoder) http.HandlerFunc {
	return serveJSON(h.bodies, func(ctx context.Context, x *exchange, body []byte) (tokenAnswer, error) {
		return h.tokenRequest(ctx, x, decode, body)
	})
}

// noRoute answers a request whose path or method has no route. If the path has
// a route for another method, noRoute answers 405 with the header Allow.
// Otherwise it answers 404. The errcode is always M_UNRECOGNIZED.
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

// find returns the route for the path of r, and all methods of this route. It
// ignores the method of r. route is "" if there is no such route.
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

// quoteJSON returns text as a JSON string. It escapes as few characters as JSON
// allows, so that a plain search finds the text.
func quoteJSON(text string) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		panic(err) // impossible: every string can be written as JSON
	}
	return strings.TrimSpace(quoted.String())
}
