package doctor_test

import (
	"context"
	"net/http"
	"strings"

	"matrixrtc-auth/access"
	"matrixrtc-auth/appservice"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// prefixed makes clients reach the service below a path prefix.
func prefixed(s *stack) { foci("https://jwt.example.org/livekit/jwt")(s) }

var publicBreaks = map[string]func(*stack){
	"listen-alone": func(s *stack) {
		s.container, s.webhooks = true, false
		s.jwtProxy = func(http.Handler) http.Handler { return failing(http.StatusBadGateway) }
	},
	"service-proxy":       func(s *stack) { s.jwtProxy = func(http.Handler) http.Handler { return failing(http.StatusBadGateway) } },
	"service-is-sfu":      func(s *stack) { s.jwtProxy = func(http.Handler) http.Handler { return sfuLike() } },
	"prefix-not-stripped": prefixed,
	"prefix-too-much": func(s *stack) {
		prefixed(s)
		s.jwtProxy = at("/livekit/jwt", failing(http.StatusNotFound))
	},
	"prefix-missing": func(s *stack) {
		s.jwtProxy = func(next http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/livekit/jwt/", http.StripPrefix("/livekit/jwt", next))
			return mux
		}
	},
	"service-no-route": func(s *stack) { s.jwtProxy = func(http.Handler) http.Handler { return failing(http.StatusNotFound) } },
	"bare-prefix": func(s *stack) {
		prefixed(s)
		s.jwtProxy = func(next http.Handler) http.Handler {
			return at("/livekit/jwt/", http.StripPrefix("/livekit/jwt", next).ServeHTTP)(failing(http.StatusNotFound))
		}
	},
	"double-slash": func(s *stack) { s.jwtProxy = at("//", failing(http.StatusNotFound)) },
	"body-changed": func(s *stack) {
		s.jwtProxy = at("/get_token", method(http.MethodPost, matrixError(http.StatusBadRequest, "M_NOT_JSON"))(http.HandlerFunc(failing(http.StatusMethodNotAllowed))).ServeHTTP)
		s.anonymous()
	},
	"route-not-passed":  func(s *stack) { s.jwtProxy = exceptPost("/get_token") },
	"preflight-refused": func(s *stack) { s.jwtProxy = method(http.MethodOptions, failing(http.StatusMethodNotAllowed)) },
	"cors-doubled": func(s *stack) {
		s.jwtProxy = func(next http.Handler) http.Handler { return adding("Access-Control-Allow-Origin", "*", next) }
	},
	"cors-missing": func(s *stack) { s.jwtProxy = withoutCORS },
	"post-not-passed": func(s *stack) {
		s.jwtProxy = postOnce(http.StatusForbidden)
		s.options.User = matrix.UserID{}
		s.options.TokenFile, s.options.Room = "", ""
	},
}

func sfuLike() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte("OK"))
	})
}

// exceptPost makes a proxy forward only POST requests to path. It answers 404
// to all other requests to path.
func exceptPost(path string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path && r.Method != http.MethodPost {
				failing(http.StatusNotFound)(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func method(name string, answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == name {
				answer(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// postOnce returns a middleware that answers each POST with status and a CORS
// header.
func postOnce(status int) func(http.Handler) http.Handler {
	return method(http.MethodPost, adding("Access-Control-Allow-Origin", "*", failing(status)))
}

func withoutCORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(stripped{w}, r)
	})
}

// stripped is a ResponseWriter that removes the CORS headers.
type stripped struct{ http.ResponseWriter }

func (w stripped) WriteHeader(status int) {
	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			w.Header().Del(name)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// registered makes the service report that it is registered at a homeserver,
// with these results of its self-test.
func registered(checks ...appservice.Check) func(*handler.Handler) {
	return func(h *handler.Handler) {
		h.AppService = &handler.AppService{Status: func() handler.AppServiceStatus {
			return handler.AppServiceStatus{Server: apexHost, Ready: appservice.Result{Checks: checks}.Ready(), Checks: checks}
		}}
	}
}

// using makes the service report that it asks the homeserver at an old address. The
// argument use holds the rest of the report.
func using(use matrix.Use) func(*stack) {
	return func(s *stack) {
		use.Server = matrixtest.ServerName(s.t, apexHost)
		use.Destination = matrix.Destination{Addrs: []string{"old.example.org:443"}, Host: "old.example.org:443", TLSName: "old.example.org", FoundBy: matrix.FoundByWellKnown}
		s.service = func(h *handler.Handler) { h.Homeservers = func() []matrix.Use { return []matrix.Use{use} } }
	}
}

var runningBreaks = map[string]func(*stack){
	"service-down": func(s *stack) {
		s.env["LIVEKIT_JWT_BIND"] = "127.0.0.1:1"
		s.jwtProxy = func(http.Handler) http.Handler { return failing(http.StatusBadGateway) }
	},
	"service-other": func(s *stack) {
		server := newServer(s, at("/_status", failing(http.StatusNotFound))(answering(`{"status":"ok","version":"`+version+`"}`)))
		s.env["LIVEKIT_JWT_BIND"] = server
		s.webhooks = false
	},
	"app-service-not-ready": func(s *stack) {
		s.service = registered(appservice.Check{Part: "loop", Seen: "the homeserver does not reach this service", Remedy: "correct proxy_url"})
	},
	"app-service-no-delegation": func(s *stack) {
		ready := registered(appservice.Check{Part: "as_token", OK: true})
		s.service = func(h *handler.Handler) {
			ready(h)
			h.Leaves = func(context.Context) handler.LeaveStatus {
				return handler.LeaveStatus{RefusedBy: []string{"a.org"}, SFUAnswers: true, Store: handler.StoreStatus{Kind: "memory", State: "ok"}}
			}
			h.Access.Delegation = &access.Delegation{}
		}
	},
	"delegation-off": func(s *stack) { s.service = func(h *handler.Handler) { h.Access.Delegation = nil } },
	"version-differs": func(s *stack) {
		s.jwtProxy = at("/healthz", adding("Access-Control-Allow-Origin", "*", answering(`{"status":"ok","version":"0.9"}`)))
	},
	"destination-stale":   using(matrix.Use{Cause: matrix.CauseStatus, Status: 404}),
	"destination-moved":   using(matrix.Use{Answered: true}),
	"client-address-lost": func(s *stack) { s.service = func(h *handler.Handler) { h.Proxies.Trusted = nil } },
	// The proxy sets only X-Real-IP.
	"client-address-forged": func(s *stack) { s.tells = []string{"X-Real-IP"} },
	// The proxy appends to X-Forwarded-For and forwards X-Real-IP. It sees every
	// client at the same private address.
	"client-address-passed": func(s *stack) { s.tells, s.appends, s.visitor = []string{"X-Forwarded-For"}, true, "10.1.1.1" },
}
