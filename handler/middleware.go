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

// collapseSlashes routes //sfu/get and /sfu/get/ as /sfu/get: clients append
// "/sfu/get" to a configured URL that may end in a slash. All later code takes
// the path from the routing context.
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
			path = "/" // also of "GET http://host", which has no path at all
		}
		chi.RouteContext(r.Context()).RoutePath = path
		next.ServeHTTP(w, r)
	})
}

// The values of the CORS headers. They are shared by all answers: nothing may
// write into them.
var (
	corsAnyOrigin = []string{"*"}
	corsHeaders   = []string{"Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization"}
	corsPost      = []string{http.MethodPost}
	corsGet       = []string{http.MethodGet}
)

// cors lets a web page of any origin read every answer, and answers preflights
// itself: a browser must get one even for a path that does not exist, or it
// hides the 404.
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

// recoverPanic answers 500 for a fault of ours. If the answer has begun, all
// that is left is to cut the connection.
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

// inProgressWait is when it is worth trying again for a client with too many
// requests in progress.
const inProgressWait = time.Second

// shareProgress bounds the requests in progress of one client network behind
// proxies, whose connections have no bound. A client that a proxy does not name
// has no share, nor has the homeserver, through which many come. Of what is refused no more is read than has come: its client has
// enough requests that it could finish.
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

// closeWhenDraining ends connections once the service is about to end, and has
// load balancers send the next request elsewhere: /healthz answers 503. All else
// is answered as always: until everybody has heard that this process goes,
// requests come.
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
