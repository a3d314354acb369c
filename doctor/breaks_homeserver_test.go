package doctor_test

import (
	"net/http"
	"strings"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// foci makes the well-known documents and the homeserver's list of transports name
// the given URL as that of this service.
func foci(service string) func(*stack) {
	return func(s *stack) {
		text := strings.Replace(goodDocument, "https://jwt.example.org", service, 1)
		s.wellKnown = func(string) http.Handler { return document(text) }
		s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"` + service + `"}]}`)
	}
}

// baseURL makes the well-known documents name the given URL as that of the
// homeserver.
func baseURL(base string) func(*stack) {
	return func(s *stack) {
		text := strings.Replace(goodDocument, "https://matrix.example.org", base, 1)
		s.wellKnown = func(string) http.Handler { return document(text) }
	}
}

// wellKnownAt replaces the answer to requests for .well-known/matrix/client at
// the server name's own host.
func wellKnownAt(answer http.HandlerFunc) func(*stack) {
	return func(s *stack) {
		s.wellKnown = func(host string) http.Handler {
			if host != apexHost {
				return document(goodDocument)
			}
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/.well-known/matrix/client" {
					http.NotFound(w, r)
					return
				}
				answer(w, r)
			})
		}
	}
}

func adding(name, value string, next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add(name, value)
		next.ServeHTTP(w, r)
	}
}

func failing(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "nginx")
		http.Error(w, "<h1>a page</h1>", status)
	}
}

const second = "two.example.org"

// twoServers adds a second homeserver. Its well-known document names the given
// URL as that of this service.
func twoServers(service string) func(*stack) {
	return func(s *stack) {
		set("LIVEKIT_FULL_ACCESS_HOMESERVERS", apexHost+","+second)(s)
		s.dns[second] = []string{"10.0.0.8"}
		set("LIVEKIT_CS_API_URL_OVERRIDES", second+"=https://"+matrixHost)(s) // the service uses matrixHost, but the document names the second server's own host
		text := strings.Replace(goodDocument, "https://jwt.example.org", service, 1)
		own := document(strings.Replace(text, matrixHost, second, 1))
		s.serve("10.0.0.8:443", second, at("/.well-known/", own.ServeHTTP)(s.newClientAPI()))
		s.serve("10.0.0.8:8448", second, s.hs)
	}
}

var wellKnownBreaks = map[string]func(*stack){
	"wellknown-missing": wellKnownAt(http.NotFound),
	"wellknown-status":  wellKnownAt(failing(http.StatusBadGateway)),
	"wellknown-no-cors": wellKnownAt(answering(goodDocument).ServeHTTP),
	"wellknown-redirect-cors": wellKnownAt(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			http.Redirect(w, r, r.URL.Path+"?1", http.StatusMovedPermanently)
			return
		}
		document(goodDocument).ServeHTTP(w, r)
	}),
	"wellknown-two-cors": wellKnownAt(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Access-Control-Allow-Origin"] = []string{"*", "*"}
		answering(goodDocument).ServeHTTP(w, r)
	}),
	"wellknown-not-json": wellKnownAt(adding("Access-Control-Allow-Origin", "*", answering(goodDocument+","))),
	"wellknown-type": wellKnownAt(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte(goodDocument))
	}),
	"foci-missing": func(s *stack) {
		s.wellKnown = func(string) http.Handler {
			return document(`{"m.homeserver":{"base_url":"https://matrix.example.org"}}`)
		}
	},
	"wellknown-nested": func(s *stack) {
		s.wellKnown = func(string) http.Handler {
			return document(`{"m.homeserver":{"base_url":"https://matrix.example.org",
"org.matrix.msc4143.rtc_foci":[{"type":"livekit","livekit_service_url":"https://jwt.example.org"}]}}`)
		}
	},
	"foci-kind": func(s *stack) {
		text := strings.NewReplacer("[", "", "]", "").Replace(goodDocument)
		s.wellKnown = func(string) http.Handler { return document(text) }
	},
	"foci-elsewhere": func(s *stack) {
		foci("https://nas.example.org")(s)
		s.options.PublicURL = parse("https://jwt.example.org")
	},
	"foci-other-service":  twoServers("https://nowhere.two.example.org"),
	"foci-slash":          foci("https://jwt.example.org/"),
	"foci-empty":          foci("https:///livekit/jwt"),
	"foci-wss":            foci("wss://sfu.example.org"),
	"foci-http":           foci("http://jwt.example.org"),
	"former-service-foci": foci("https://livekit-jwt.call.matrix.org"),
	"foci-example":        foci("https://jwt.yourdomain.com"),
	"foci-double-slash": func(s *stack) {
		foci("https://jwt.example.org//livekit/jwt")(s)
		s.jwtProxy = func(next http.Handler) http.Handler { return http.StripPrefix("//livekit/jwt", next) }
	},
	"wellknown-copies-differ": func(s *stack) {
		s.wellKnown = func(host string) http.Handler {
			if host == matrixHost {
				return document(strings.Replace(goodDocument, "jwt.", "old.", 1))
			}
			return document(goodDocument)
		}
	},
	"wellknown-port": func(s *stack) { // port 8448 has only the federation API
		s.anonymous()
		s.outside()
		s.options.Servers = []matrix.ServerName{matrixtest.ServerName(s.t, apexHost+":8448")}
		s.name = apexHost + ":8448"
		s.options.SFUURL = "wss://" + sfuHost
	},
	"base-url-example": baseURL("https://matrix.domain.tld"),
	"base-url-http":    baseURL("http://matrix.example.org"),
	"base-url":         baseURL("matrix.example.org"),
}

// at returns a middleware that passes a request to the handler answer if the
// request's path contains part.
func at(part string, answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, part) {
				answer(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// matrixError returns a handler that answers with a Matrix error.
func matrixError(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write([]byte(`{"errcode":"` + code + `"}`))
	}
}

const (
	delayedRoute    = "/delayed_events/"
	nobodysEvent    = "/delayed_events/matrixrtc-auth-doctor"
	transportsRoute = "/rtc/transports"
)

var homeserverBreaks = map[string]func(*stack){
	"other-server-name": hostInList,
	"delayed-events-none": func(s *stack) {
		s.kind, s.features = "Dendrite", map[string]any{}
		s.options.Room = ""
	},
	"transports-none": func(s *stack) {
		s.kind = "Dendrite"
		s.client = at(transportsRoute, matrixError(http.StatusNotFound, "M_UNRECOGNIZED"))
	},
	"federation-off":         func(s *stack) { s.fed = at("userinfo", matrixError(http.StatusForbidden, "M_FORBIDDEN")) },
	"openid-not-served":      func(s *stack) { s.fed = at("userinfo", matrixError(http.StatusNotFound, "M_UNRECOGNIZED")) },
	"openid-strange":         func(s *stack) { s.fed = at("userinfo", failing(http.StatusOK)) },
	"federation-dns":         set("LIVEKIT_FEDERATION_URL_OVERRIDES", apexHost+"=https://federation.example.org"),
	"federation-tls":         func(s *stack) { s.serve(apexIP+":8448", "nas.example.org", s.hs) },
	"federation-unreachable": func(s *stack) { s.routes["tcp "+apexIP+":8448"] = "127.0.0.1:1" },
	"not-federated": func(s *stack) {
		s.anonymous()
		s.outside()
		s.routes["tcp "+apexIP+":8448"] = "127.0.0.1:1"
	},
	"client-api-unreachable": func(s *stack) { s.env["LIVEKIT_CS_API_URL_OVERRIDES"] = apexHost + "=http://synapse:8008" },
	"client-api-strange":     func(s *stack) { s.client = at("/versions", failing(http.StatusOK)) },
	"delayed-events-off":     func(s *stack) { s.features = map[string]any{"org.matrix.msc4140": false} },
	"delayed-events-route": func(s *stack) {
		s.client = at(delayedRoute, matrixError(http.StatusNotFound, "M_UNRECOGNIZED"))
		s.options.Room = ""
	},
	"delayed-events-limited": func(s *stack) {
		s.client = at(delayedRoute, matrixError(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED"))
		s.options.Room = ""
	},
	"delayed-events-short": func(s *stack) {
		s.client = at("/send/", matrixError(http.StatusBadRequest, "ORG.MATRIX.MSC4140_DELAY_TOO_LARGE"))
	},
	"delayed-events-token": func(s *stack) {
		s.client = at(delayedRoute, matrixError(http.StatusUnauthorized, "M_MISSING_TOKEN"))
		s.options.Room = ""
	},
	"delayed-events-refused": func(s *stack) { s.client = at("/send/", matrixError(http.StatusForbidden, "M_FORBIDDEN")) },
	"transports-off":         func(s *stack) { s.client = at(transportsRoute, matrixError(http.StatusNotFound, "M_UNRECOGNIZED")) },
	"transports-proxy":       func(s *stack) { s.transport = answering(`[{"type":"livekit"}]`) },
	"transports-empty":       func(s *stack) { s.transport = answering(`{}`) },
	"transports-differ": func(s *stack) {
		s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://old.example.org"}]}`)
	},
	"transport-url-unserved": func(s *stack) {
		s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://jwt.example.org","url":"wss://sfu.example.org"}]}`)
	},
}

// hostInList puts the homeserver's host into LIVEKIT_FULL_ACCESS_HOMESERVERS,
// in place of its server name.
func hostInList(s *stack) {
	s.anonymous()
	set("LIVEKIT_FULL_ACCESS_HOMESERVERS", matrixHost)(s)
	s.wellKnown = func(string) http.Handler { return document(goodDocument) }
	s.serve(matrixIP+":8448", matrixHost, s.newFederationAPI())
}
