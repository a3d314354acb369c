package handler

import (
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"matrixrtc-auth/access"
	"matrixrtc-auth/internal/fault"
	"matrixrtc-auth/internal/metrics"
)

// collapseSlashes routes //sfu/get and /sfu/get/ in the same way as /sfu/get.
// Clients append "/sfu/get" to a configured URL, which may end in a slash.
// Later handlers find the new path in chi's routing context.
func collapseSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if r.URL.RawPath != "" {
			path = r.URL.RawPath
		}
		for strings.Contains(path, "//") {
			path = strings.ReplaceAll(path, "//", "/")
		}
		if path = strings.TrimSuffix(path, "/"); path == "" {
			path = "/" // the request line "GET http://host" has no path
		}
		chi.RouteContext(r.Context()).RoutePath = path
		next.ServeHTTP(w, r)
	})
}

// These are the values of the CORS headers. All answers share the slices, so no
// code may change them.
var (
	corsAnyOrigin = []string{"*"}
	corsHeaders   = []string{"Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization"}
	corsPost      = []string{http.MethodPost}
	corsGet       = []string{http.MethodGet}
)

// cors lets a web page of any origin read every answer. It answers a preflight
// request (OPTIONS) itself, with 200, no body and without authentication. It
// does so even if the path does not exist. If the preflight request failed, the
// browser would hide the answer to the real request, for example a 404, from
// the page.
func (h *Handler) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		methods := corsPost
		if chi.RouteContext(r.Context()).RoutePath == routeHealth {
			methods = corsGet
		}
		setCORS(w.Header(), methods)
		if r.Method == http.MethodOptions {
			exchangeOf(w).route, _ = h.find(r)
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func setCORS(header http.Header, methods []string) {
	header["Access-Control-Allow-Origin"] = corsAnyOrigin
	header["Access-Control-Allow-Headers"] = corsHeaders
	header["Access-Control-Allow-Methods"] = methods
}

// recoverPanic answers 500 after a panic. If the answer has begun already,
// recoverPanic closes the connection.
func recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			ours := &fault.Error{Value: v, Stack: debug.Stack()}
			if x := exchangeOf(w); x.status != 0 {
				x.status, x.err, x.cause = internal.status, ours, internal.cause
				panic(http.ErrAbortHandler)
			}
			fail(w, r, ours)
		}()
		next.ServeHTTP(w, r)
	})
}

// inProgressWait is the Retry-After for a client that has too many requests in
// progress.
const inProgressWait = time.Second

// shareProgress bounds how many requests of one client network are in progress.
// The bound is a quarter of the connections that all clients together can have
// open (connlimit.Share). Any further request gets 429. Before this answer,
// shareProgress reads and drops the rest of the request's body, but for promptTime
// only, because this network has many other requests in progress.
//
// The bound applies only if a proxy names the client's address. For a client
// without a proxy, connlimit bounds the number of connections instead. There is
// no bound for the homeserver, because it forwards requests of many clients.
func (h *Handler) shareProgress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(w)
		if h.InProgress == nil || !x.told || h.AppService.asked(r) {
			next.ServeHTTP(w, r)
			return
		}
		release, ok := h.InProgress.TryAcquire(access.Network(x.client))
		if !ok {
			h.Metrics.RateLimited(metrics.ProgressRefused)
			x.route, _ = h.find(r)
			discardWithin(w, r, promptTime)
			fail(w, r, &limitError{kind: metrics.ProgressRefused, wait: inProgressWait})
			return
		}
		defer release()
		next.ServeHTTP(w, r)
	})
}

// closeWhenDraining has no effect until Drain is called. Then it closes each
// connection after its next answer, and answers 503 to /healthz, so that load
// balancers send later requests elsewhere. Until the load balancers have
// noticed, all other requests get their usual answers.
func (h *Handler) closeWhenDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			w.Header().Set("Connection", "close")
			if route, _ := h.find(r); route == routeHealth {
				exchangeOf(w).route = route
				discardBody(w, r)
				fail(w, r, ErrShuttingDown)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
