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
	"time"

	"github.com/go-chi/chi/v5"

	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/internal/ratelimit"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// Verifier says who is asking.
type Verifier interface {
	// Verify returns the user whose token it is, always one of token.Server,
	// and the claimed one if claimed is not zero. Errors are
	// *[matrix.VerifyError].
	Verify(ctx context.Context, token matrix.OpenIDToken, claimed matrix.UserID) (matrix.UserID, error)
}

// Rooms makes sure that rooms exist on the SFU.
type Rooms interface {
	// Ensure returns once the room exists. created reports that the SFU had to
	// be asked for this request; errors are *[sfu.Error].
	Ensure(ctx context.Context, room sfu.Room) (created bool, err error)
}

// Minter makes access tokens for the SFU.
type Minter interface {
	Mint(grant token.Grant, now time.Time) string
}

// Handler serves the endpoints for clients. All fields but the limiters and
// Metrics are required; it must not be copied, nor changed after Routes.
type Handler struct {
	Verifier Verifier
	Rooms    Rooms
	Minter   Minter

	// URL is the SFU's, as clients get it.
	URL string
	// FullAccess says whose users may create rooms. It is asked for the
	// server of a verified user, as is CanPublish.
	FullAccess func(matrix.ServerName) bool
	// CanPublish says which other users may publish.
	CanPublish func(matrix.ServerName) bool
	// CanUpdateOwnMetadata goes into every token.
	CanUpdateOwnMetadata bool
	// Named says which servers the operator named.
	Named func(matrix.ServerName) bool

	// Proxies may say who the client is.
	Proxies Proxies
	// Users limits the requests of verified users, Failures the failed
	// verifications of client networks ([NewFailureLimiter]). nil: no limit.
	Users    *ratelimit.Limiter[matrix.UserID]
	Failures *ratelimit.Limiter[netip.Prefix]

	Log     *slog.Logger
	Metrics *metrics.Metrics // nil counts nothing
	// Version is what /healthz tells.
	Version string

	draining atomic.Bool
	bodies   *bodyReader
	urlJSON  string
	mux      *chi.Mux
}

const routeHealth = "/healthz"

// Routes returns the endpoints. There is no /delegate_delayed_leave, not even
// to refuse: clients take every answer but 404 for a promise to delegate.
func (h *Handler) Routes() http.Handler {
	h.bodies = newBodyReader()
	h.urlJSON = quoteJSON(h.URL)
	h.mux = chi.NewRouter()
	h.mux.Use(h.observe, collapseSlashes, h.cors, recoverPanic, h.refuseWhenDraining)
	h.mux.Post("/", h.tokens(decodeSFUGet))
	h.mux.Post("/sfu/get", h.tokens(decodeSFUGet))
	h.mux.Post("/get_token", h.tokens(decodeGetToken))
	health := h.health()
	h.mux.Get(routeHealth, health)
	h.mux.Head(routeHealth, health)
	h.mux.NotFound(h.noRoute)
	h.mux.MethodNotAllowed(h.noRoute)
	return h.mux
}

// Drain makes every route answer 503 from now on: the service is about to end.
func (h *Handler) Drain() { h.draining.Store(true) }

func (h *Handler) tokens(decode decoder) http.HandlerFunc {
	return serveJSON(h.bodies, func(ctx context.Context, x *exchange, body []byte) (tokenAnswer, error) {
		return h.tokenRequest(ctx, x, decode, body)
	})
}

func (h *Handler) health() http.HandlerFunc {
	doc := []byte(`{"status":"ok","version":` + quoteJSON(h.Version) + `}`)
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, doc) }
}

// noRoute answers what no route matches: 405 if the path has one for another
// method, else 404.
func (h *Handler) noRoute(w http.ResponseWriter, r *http.Request) {
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
// none, and the methods it has.
func (h *Handler) find(r *http.Request) (route, methods string) {
	path := chi.RouteContext(r.Context()).RoutePath
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
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
