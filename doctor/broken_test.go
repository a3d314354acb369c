package doctor_test

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu/sfutest"
)

// TestBroken breaks the stack in one way after the other. Doctor must name that
// cause and no other.
func TestBroken(t *testing.T) {
	for _, id := range slices.Sorted(maps.Keys(breaks)) {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			breaks[id](s)
			report := s.examine()
			named := map[string]bool{}
			for _, c := range report.Checks {
				if c.CauseID() != "" {
					named[c.CauseID()] = true
				}
				if c.CauseID() != "" && c.CauseID() != id {
					t.Errorf("%s: %s: %s", c.ID, c.CauseID(), c.Seen)
				}
			}
			if !named[id] {
				t.Errorf("the cause is not named; seen is:\n%s", text(report))
			}
		})
	}
}

func text(r doctor.Report) string {
	var b strings.Builder
	_ = r.WriteText(&b)
	return b.String()
}

// breaks are the ways to break the stack, by the cause.
var breaks = map[string]func(*stack){}

func init() {
	for _, list := range []map[string]func(*stack){configBreaks, livekitBreaks, reachBreaks, wellKnownBreaks, homeserverBreaks, publicBreaks, runningBreaks, sfuBreaks, mediaBreaks} {
		maps.Copy(breaks, list)
	}
}

func set(name, value string) func(*stack) { return func(s *stack) { s.env[name] = value } }

var configBreaks = map[string]func(*stack){
	"config-refused":     set("LIVEKIT_TOKEN_TTL", "never"),
	"config-doubtful":    set("LIVEKIT_LOG_LEVEL", "chatty"),
	"full-access-entry":  set("LIVEKIT_FULL_ACCESS_HOMESERVERS", apexHost+",https://example.org"),
	"own-server-missing": func(s *stack) { set("LIVEKIT_FULL_ACCESS_HOMESERVERS", "other.org")(s); s.options.Servers = apex(s.t) },
	"full-access-everyone": func(s *stack) {
		set("LIVEKIT_FULL_ACCESS_HOMESERVERS", "*")(s)
		s.options.Servers = apex(s.t)
	},
	"key-lint": func(s *stack) {
		s.env["LIVEKIT_KEY_FILE"] = s.file("keys.yaml", stackKey.ID+": "+stackKey.Secret.Reveal()+"\n"+"other: short\n")
		delete(s.env, "LIVEKIT_KEY")
		delete(s.env, "LIVEKIT_SECRET")
	},
	"former-service": set("LIVEKIT_URL", "wss://livekit-jwt.call.matrix.org"),
	"registration": func(s *stack) {
		s.env["LIVEKIT_AS_REGISTRATION_FILE"] = s.file("registration.yaml", goodRegistration+"\nio.element.msc4512.proxy_prefix: livekit\n")
		s.env["LIVEKIT_HS_SERVER_NAME"] = apexHost
	},
}

func apex(t *testing.T) []matrix.ServerName {
	name, err := matrix.ParseServerName(apexHost)
	if err != nil {
		t.Fatal(err)
	}
	return []matrix.ServerName{name}
}

const goodRegistration = `id: matrixrtc-auth
as_token: an-as-token-of-many-letters-0123456789
hs_token: an-hs-token-of-many-letters-0123456789
sender_localpart: matrixrtc
url: null
namespaces: {users: []}
io.element.msc4502.scopes: ["urn:matrix:client:io.element.msc4502:rooms:is_joined"]
io.element.msc4512.proxy_url: http://matrixrtc-auth:8080`

// replace changes livekit.yaml.
func replace(old, new string) func(*stack) {
	return func(s *stack) {
		if !strings.Contains(s.files["/etc/livekit.yaml"], old) {
			s.t.Fatalf("livekit.yaml holds no %q", old)
		}
		s.files["/etc/livekit.yaml"] = strings.Replace(s.files["/etc/livekit.yaml"], old, new, 1)
	}
}

var livekitBreaks = map[string]func(*stack){
	"livekit-file":        func(s *stack) { s.options.LiveKitYAML = "/nowhere.yaml" },
	"livekit-yaml":        replace("room:\n", "room\n"),
	"livekit-key-unknown": replace("room:\n", "logging:\nlevel: info\nroom:\n"),
	"livekit-secret":      replace("port: 7880\n", "keys: {matrixrtc: not-the-secret-but-as-long-as-that-0123}\n"),
	"livekit-key-missing": replace("port: 7880\n", "keys: {other: not-the-secret-but-as-long-as-that-0123}\n"),
	"livekit-secret-short": replace("port: 7880\n",
		"keys: {other: short, matrixrtc: "+`"`+"a-secret-of-the-doctor's-stack-0123456789"+`"`+"}\n"),
	"livekit-webhook-key":     replace("api_key: matrixrtc", "api_key: other"),
	"livekit-webhook-missing": replace("/sfu_webhook", "/webhook"),
	"livekit-udp-both":        replace("rtc:\n", "rtc:\n  udp_port: 7882\n"),
	"livekit-tcp-off": func(s *stack) {
		replace("tcp_port: 7881", "tcp_port: 0")(s)
		s.media.Candidates = s.media.Candidates[:1]
	},
	"livekit-ports-clash": replace("udp_port: 3478", "udp_port: 20100"),
	"livekit-range-ephemeral": func(s *stack) {
		replace("port_range_start: 20000", "port_range_start: 50000")(s)
		replace("port_range_end: 20200", "port_range_end: 50200")(s)
	},
	"turn-domain":         replace("  domain: turn.example.org\n", ""),
	"turn-certificate":    replace("  external_tls: true\n", ""),
	"turn-portless":       replace("  udp_port: 3478\n  domain: turn.example.org\n  tls_port: 5349\n", ""),
	"auto-create-setting": replace("auto_create: false", "auto_create: true"),
	"stun-blocked":        func(s *stack) { s.routes["udp "+stunIP+":3478"] = "silent" },
}

var reachBreaks = map[string]func(*stack){
	"apex-no-address":    func(s *stack) { delete(s.dns, apexHost) },
	"service-no-address": func(s *stack) { delete(s.dns, jwtHost) },
	"sfu-no-address":     func(s *stack) { delete(s.dns, sfuHost) },
	"dns-broken":         func(s *stack) { s.dnsError[jwtHost] = &net.DNSError{Err: "server misbehaving", Name: jwtHost} },
	"dead-ipv6":          func(s *stack) { s.dns[jwtHost] = []string{jwtIP, "fd00::3"} },
	"dead-address":       func(s *stack) { s.dns[jwtHost] = []string{jwtIP, "10.0.0.99"} },
	"hairpin":            func(s *stack) { s.dns[jwtHost] = []string{"203.0.113.3"}; s.routes["tcp 203.0.113.3:443"] = "silent" },
	"apex-closed":        func(s *stack) { s.routes["tcp "+apexIP+":443"] = "127.0.0.1:1" },
	"service-closed":     func(s *stack) { s.routes["tcp "+jwtIP+":443"] = "127.0.0.1:1" },
	"sfu-closed":         func(s *stack) { s.routes["tcp "+sfuIP+":443"] = "127.0.0.1:1" },
	"turn-closed":        func(s *stack) { s.routes["tcp "+turnIP+":443"] = "127.0.0.1:1" },
	"ice-tcp-closed":     func(s *stack) { s.routes["tcp "+sfuIP+":7881"] = "127.0.0.1:1" },
	"tls-none": func(s *stack) {
		l := s.listen()
		go answerStreams(l)
		s.routes["tcp "+jwtIP+":443"] = l.Addr().String()
	},
	"tls-expired":      func(s *stack) { s.certs[jwtHost] = s.ca.CertificateUntil(time.Now().Add(-time.Hour), jwtHost) },
	"tls-wrong-name":   func(s *stack) { s.certs[jwtHost] = s.ca.Certificate("nas.example.org") },
	"tls-untrusted":    func(s *stack) { s.certs[jwtHost] = matrixtest.NewCA().Certificate(jwtHost) },
	"tls-expires-soon": func(s *stack) { s.certs[jwtHost] = s.ca.CertificateUntil(time.Now().Add(200*time.Hour), jwtHost) },
}

// foci serves another service in the well-known document, everywhere.
func foci(service string) func(*stack) {
	return func(s *stack) {
		text := strings.Replace(goodDocument, "https://jwt.example.org", service, 1)
		s.wellKnown = func(string) http.Handler { return document(text) }
		s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"` + service + `"}]}`)
	}
}

// wellKnownAt answers for the document of the server name itself.
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

var wellKnownBreaks = map[string]func(*stack){
	"wellknown-missing": wellKnownAt(http.NotFound),
	"wellknown-status":  wellKnownAt(failing(http.StatusBadGateway)),
	"wellknown-no-cors": wellKnownAt(answering(goodDocument).ServeHTTP),
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
		s.transport = answering(`{"rtc_transports":[{"type":"livekit"}]}`)
	},
	"foci-elsewhere": func(s *stack) {
		foci("https://nas.example.org")(s)
		s.options.PublicURL = parse("https://jwt.example.org")
	},
	"foci-slash":          foci("https://jwt.example.org/"),
	"foci-empty":          foci("https:///livekit/jwt"),
	"foci-wss":            foci("wss://sfu.example.org"),
	"foci-http":           foci("http://jwt.example.org"),
	"former-service-foci": foci("https://livekit-jwt.call.matrix.org"),
	"foci-example":        foci("https://jwt.yourdomain.org"),
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
	"base-url": func(s *stack) {
		text := strings.Replace(goodDocument, "https://matrix.example.org", "matrix.example.org", 1)
		s.wellKnown = func(string) http.Handler { return document(text) }
	},
}

// at answers for the paths that hold part, in the place of a handler.
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

// matrixError answers as a homeserver does.
func matrixError(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write([]byte(`{"errcode":"` + code + `"}`))
	}
}

const (
	delayedRoute    = "/delayed_events/"
	transportsRoute = "/rtc/transports"
)

var homeserverBreaks = map[string]func(*stack){
	"federation-off":         func(s *stack) { s.fed = at("userinfo", matrixError(http.StatusForbidden, "M_FORBIDDEN")) },
	"openid-not-served":      func(s *stack) { s.fed = at("userinfo", matrixError(http.StatusNotFound, "M_UNRECOGNIZED")) },
	"openid-strange":         func(s *stack) { s.fed = at("userinfo", failing(http.StatusOK)) },
	"federation-dns":         set("LIVEKIT_FEDERATION_URL_OVERRIDES", apexHost+"=https://federation.example.org"),
	"federation-tls":         func(s *stack) { s.serve(apexIP+":8448", "nas.example.org", s.hs) },
	"federation-unreachable": func(s *stack) { s.routes["tcp "+apexIP+":8448"] = "127.0.0.1:1" },
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
	"delayed-events-token": func(s *stack) {
		s.client = at(delayedRoute, matrixError(http.StatusUnauthorized, "M_MISSING_TOKEN"))
		s.options.Room = ""
	},
	"delayed-events-refused": func(s *stack) { s.client = at("/send/", matrixError(http.StatusForbidden, "M_FORBIDDEN")) },
	"transports-off":         func(s *stack) { s.client = at(transportsRoute, matrixError(http.StatusNotFound, "M_UNRECOGNIZED")) },
	"transports-empty":       func(s *stack) { s.transport = answering(`{}`) },
	"transports-differ": func(s *stack) {
		s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://old.example.org"}]}`)
	},
	"transport-url-unserved": func(s *stack) {
		s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://jwt.example.org","url":"wss://sfu.example.org"}]}`)
	},
	"user-token": func(s *stack) { s.files["/token"] = "another" },
}

// prefixed has clients find the service below a prefix.
func prefixed(s *stack) { foci("https://jwt.example.org/livekit/jwt")(s) }

var publicBreaks = map[string]func(*stack){
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
	"double-slash":      func(s *stack) { s.jwtProxy = at("//", failing(http.StatusNotFound)) },
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

// exceptPost has a proxy pass on of a path nothing but POST.
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

// postOnce has a filter refuse POST, though with a CORS header.
func postOnce(status int) func(http.Handler) http.Handler {
	return method(http.MethodPost, adding("Access-Control-Allow-Origin", "*", failing(status)))
}

func withoutCORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(stripped{w}, r)
	})
}

// stripped loses the CORS headers.
type stripped struct{ http.ResponseWriter }

func (w stripped) WriteHeader(status int) {
	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			w.Header().Del(name)
		}
	}
	w.ResponseWriter.WriteHeader(status)
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
	"delegation-off": func(s *stack) { s.service = func(h *handler.Handler) { h.Delegation = nil } },
	"version-differs": func(s *stack) {
		s.jwtProxy = at("/healthz", adding("Access-Control-Allow-Origin", "*", answering(`{"status":"ok","version":"0.9"}`)))
	},
	"client-address-lost": func(s *stack) { s.service = func(h *handler.Handler) { h.Proxies = nil } },
}

var sfuBreaks = map[string]func(*stack){
	"sfu-api-dns":     set("LIVEKIT_INTERNAL_URL", "http://livekitt:7880"),
	"sfu-api-connect": func(s *stack) { s.routes["tcp 10.0.0.7:7880"] = "127.0.0.1:1" },
	"sfu-api-timeout": func(s *stack) { s.routes["tcp 10.0.0.7:7880"] = "silent"; s.anonymous() },
	"sfu-api-tls":     set("LIVEKIT_INTERNAL_URL", "https://livekit:7880"),
	"sfu-key": func(s *stack) {
		s.env["LIVEKIT_KEY"] = "other"
		replace("api_key: matrixrtc", "api_key: other")(s)
	},
	"sfu-secret": func(s *stack) {
		s.env["LIVEKIT_SECRET"] = "another-secret-of-the-stack-0123456789"
	},
	"sfu-clock": apiAnswers(http.StatusUnauthorized, "invalid token: go-jose/go-jose/jwt: validation failed, token is expired (exp)"),
	"sfu-twirp": func(s *stack) { s.livekit = at("/twirp", http.NotFound) },
	"sfu-not-livekit": func(s *stack) {
		s.livekit = func(http.Handler) http.Handler { return failing(http.StatusNotFound) }
		s.direct()
	},
	"sfu-behind-proxy": apiAnswers(http.StatusBadGateway, "<h1>Bad Gateway</h1>"),
	"sfu-error":        apiAnswers(http.StatusInternalServerError, `{"code":"internal"}`),
	"sfu-slow": func(s *stack) {
		s.livekit = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "ListRooms") {
					sfutest.Delay(2100*time.Millisecond)(w, r, next)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	},
	"sfu-create": func(s *stack) { s.livekit = at("/CreateRoom", failing(http.StatusInternalServerError)) },
	"auto-create": func(s *stack) {
		s.livekit = at("/rtc/validate", answering("success").ServeHTTP)
		delete(s.files, "/etc/livekit.yaml")
	},
	"sfu-proxy": func(s *stack) { s.sfuProxy = func(http.Handler) http.Handler { return failing(http.StatusBadGateway) } },
	"websocket-headers": func(s *stack) {
		s.sfuProxy = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Del("Upgrade")
				next.ServeHTTP(w, r)
			})
		}
	},
	"sfu-no-route": func(s *stack) { s.sfuProxy = func(http.Handler) http.Handler { return failing(http.StatusNotFound) } },
	"bare-sfu-prefix": func(s *stack) {
		s.env["LIVEKIT_URL"] = "wss://sfu.example.org/livekit/sfu"
		s.service = func(h *handler.Handler) { h.URL = "wss://sfu.example.org/livekit/sfu" }
		s.sfuProxy = func(next http.Handler) http.Handler {
			return at("/livekit/sfu/", http.StripPrefix("/livekit/sfu", next).ServeHTTP)(failing(http.StatusNotFound))
		}
	},
	"twirp-public":    func(s *stack) { s.sfuProxy = func(http.Handler) http.Handler { return s.lkProxy() } },
	"webhook-missing": func(s *stack) { s.webhooks = false },
	"webhook-refused": func(s *stack) { s.flaws = []sfutest.Flaw{sfutest.WrongSecret()} },
}

// apiAnswers has something answer the Room API in LiveKit's place.
func apiAnswers(status int, body string) func(*stack) {
	return func(s *stack) {
		s.livekit = at("/twirp", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(body))
		})
	}
}

// direct has the public way lead to an SFU that works.
func (s *stack) direct() {
	s.sfuProxy = func(http.Handler) http.Handler { return withoutTwirp(s.newLiveKit()) }
}

// lkProxy passes everything on.
func (s *stack) lkProxy() http.Handler { return s.newLiveKit() }

// address makes a candidate.
func address(network, text string) doctor.Candidate {
	return doctor.Candidate{Network: network, Addr: netip.MustParseAddrPort(text)}
}

// publicSFU gives the SFU's name a public address.
func publicSFU(s *stack) {
	s.dns[sfuHost] = []string{"203.0.113.4"}
}

var errICE = errors.New("could not establish the connection")

// unjoined has the join fail after the SFU told these addresses.
func unjoined(candidates ...doctor.Candidate) func(*stack) {
	return func(s *stack) {
		publicSFU(s)
		s.media.Candidates = candidates
		s.joinErr = &doctor.JoinError{Media: s.media, Err: errICE}
	}
}

var mediaBreaks = map[string]func(*stack){
	"join-refused":    func(s *stack) { s.joinErr = errNotJoined },
	"candidates-none": unjoined(),
	"candidates-docker": func(s *stack) {
		publicSFU(s)
		s.media.Candidates = []doctor.Candidate{address("udp", "172.18.0.2:50000")}
	},
	"candidates-private": func(s *stack) {
		publicSFU(s)
		s.media.Candidates = []doctor.Candidate{address("udp", "192.168.1.5:50000"), address("tcp", sfuIP+":7881")}
	},
	"candidates-bridge-too": func(s *stack) {
		s.media.Candidates = append(s.media.Candidates, address("udp", "203.0.113.4:50000"), address("udp", "172.18.0.2:50000"))
	},
	"media-hairpin": unjoined(address("udp", "203.0.113.4:50000")),
	"media-closed":  unjoined(address("udp", "203.0.113.4:50000"), address("udp", "192.168.1.5:50000")),
	"media-no-data": func(s *stack) { s.silence = true; s.anonymous() },
	"media-not-udp": func(s *stack) { s.media.Way = "tcp" },
	"ice-tcp-none":  func(s *stack) { s.media.Candidates = s.media.Candidates[:1] },
	"turn-tls":      func(s *stack) { s.certs[turnHost] = s.ca.Certificate("nas.example.org") },
	"turn-refused":  func(s *stack) { s.media.Servers[0].Password = "wrong" },

	"token-unauthorized": func(s *stack) {
		s.hs.Script(matrixError(http.StatusUnauthorized, "M_UNKNOWN_TOKEN"))
	},
	"token-refused":   func(s *stack) { s.jwtProxy = postTo("/sfu/get") },
	"sfu-url-differs": func(s *stack) { s.service = func(h *handler.Handler) { h.URL = "wss://old.example.org" } },
}

// postTo refuses well-formed requests as the service itself does.
func postTo(path string) func(http.Handler) http.Handler {
	refuse := adding("Access-Control-Allow-Origin", "*", matrixError(http.StatusBadRequest, "M_BAD_JSON"))
	return func(next http.Handler) http.Handler {
		return at(path, method(http.MethodPost, refuse)(next).ServeHTTP)(next)
	}
}

// anonymous leaves out what takes a user's access token.
func (s *stack) anonymous() {
	s.options.User, s.options.TokenFile, s.options.Room = matrix.UserID{}, "", ""
}

// file writes a file that the configuration names.
func (s *stack) file(name, text string) string {
	file := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// newServer returns the address of something else on this machine.
func newServer(s *stack, h http.Handler) string {
	server := httptest.NewServer(h)
	s.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func parse(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}
