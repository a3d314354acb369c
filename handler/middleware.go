package handler

import (
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/go-chi/chi/v5"
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
		header := w.Header()
		header["Access-Control-Allow-Origin"] = corsAnyOrigin
		header["Access-Control-Allow-Headers"] = corsHeaders
		header["Access-Control-Allow-Methods"] = corsPost
		if chi.RouteContext(r.Context()).RoutePath == routeHealth {
			header["Access-Control-Allow-Methods"] = corsGet
		}
		if r.Method == http.MethodOptions {
			exchangeOf(w).route, _ = h.find(r)
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(w, r)
	})
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
			fault := &panicError{value: v, stack: debug.Stack()}
			if x := exchangeOf(w); x.status != 0 {
				x.status, x.err, x.cause = internal.status, fault, internal.cause
				panic(http.ErrAbortHandler)
			}
			fail(w, r, fault)
		}()
		next.ServeHTTP(w, r)
	})
}

// refuseWhenDraining answers 503 once the service is about to end, so that
// load balancers send the next request elsewhere. What has no route stays 404:
// clients take every other answer of /delegate_delayed_leave for a promise.
func (h *Handler) refuseWhenDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			if route, _ := h.find(r); route != "" {
				exchangeOf(w).route = route
				discardBody(w, r)
				w.Header().Set("Connection", "close")
				fail(w, r, ErrShuttingDown)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
