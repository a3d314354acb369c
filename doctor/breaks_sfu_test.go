package doctor_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

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
				if strings.HasSuffix(r.URL.Path, "ListRooms") && strings.HasSuffix(r.UserAgent(), "-doctor") { // only requests of doctor are slow, because the service would give up
					sfutest.Delay(slowness*2100*time.Millisecond)(w, r, next)
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
	"sfu-login":    func(s *stack) { s.sfuProxy = func(http.Handler) http.Handler { return login(http.StatusUnauthorized) } },
	"sfu-no-route": func(s *stack) { s.sfuProxy = func(http.Handler) http.Handler { return failing(http.StatusNotFound) } },
	"bare-sfu-prefix": func(s *stack) {
		s.env["LIVEKIT_URL"] = "wss://sfu.example.org/livekit/sfu"
		s.service = func(h *handler.Handler) { h.URL = "wss://sfu.example.org/livekit/sfu" }
		s.sfuProxy = func(next http.Handler) http.Handler {
			return at("/livekit/sfu/", http.StripPrefix("/livekit/sfu", next).ServeHTTP)(failing(http.StatusNotFound))
		}
	},
	"sfu-unknown": func(s *stack) {
		s.anonymous()
		s.outside()
		s.sfuProxy = func(http.Handler) http.Handler { return failing(http.StatusNotFound) }
	},
	"sfu-other": func(s *stack) {
		other := sfutest.New(stackKey)
		s.sfuProxy = at("/rtc/validate", func(w http.ResponseWriter, r *http.Request) { other.ServeHTTP(w, tokenOfQuery(r)) })
	},
	"sfu-other-keys": func(s *stack) {
		other := sfutest.New(sfu.Key{ID: "other", Secret: stackKey.Secret})
		s.sfuProxy = at("/rtc/validate", func(w http.ResponseWriter, r *http.Request) { other.ServeHTTP(w, tokenOfQuery(r)) })
	},
	"query-dropped": func(s *stack) {
		s.sfuProxy = changing(func(r *http.Request) { r.URL.RawQuery = "" })
	},
	"authorization-dropped": func(s *stack) {
		s.sfuProxy = changing(func(r *http.Request) { r.Header.Del("Authorization") })
	},
	"validate-not-passed": func(s *stack) { s.sfuProxy = at("/rtc/validate", failing(http.StatusNotFound)) },
	"twirp-public":        func(s *stack) { s.sfuProxy = func(http.Handler) http.Handler { return s.lkProxy() } },
	"sfu-codecs":          func(s *stack) { s.livekit = taking("video/H264", "audio/red") },
	"webhook-way": func(s *stack) {
		s.webhooks = false
		replace("matrixrtc-auth:8080", jwtHost)(s)
		s.routes["tcp "+jwtIP+":80"] = newServer(s, http.HandlerFunc(redirect))
	},
	"webhook-missing": func(s *stack) { s.webhooks = false },
	"webhook-refused": func(s *stack) { s.flaws = []sfutest.Flaw{sfutest.WrongSecret()} },
}

// changing makes a proxy change requests.
func changing(change func(*http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

// login returns a handler that answers every request with status and asks for a
// user name and a password, as a proxy with HTTP basic authentication does.
func login(status int) http.HandlerFunc {
	return adding("WWW-Authenticate", `Basic realm="home"`, failing(status))
}

// outside makes doctor look from a machine that has no configuration.
func (s *stack) outside() {
	s.options.Outside, s.options.Servers = true, apex(s.t)
	s.env = map[string]string{}
}

// apiAnswers replaces all answers of LiveKit's Room API.
func apiAnswers(status int, body string) func(*stack) {
	return func(s *stack) {
		s.livekit = at("/twirp", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(body))
		})
	}
}

// direct makes the public address of LiveKit lead to an SFU that works.
func (s *stack) direct() {
	s.sfuProxy = func(http.Handler) http.Handler { return withoutTwirp(s.newLiveKit()) }
}

// lkProxy returns a proxy to LiveKit that forwards everything.
func (s *stack) lkProxy() http.Handler { return s.newLiveKit() }

// address returns a candidate at the IP address and port in text.
func address(network, text string) instruments.Candidate {
	return instruments.Candidate{Network: network, Addr: netip.MustParseAddrPort(text)}
}

// publicSFU gives the SFU's name a public address.
func publicSFU(s *stack) {
	s.dns[sfuHost] = []string{"203.0.113.4"}
}

var errICE = errors.New("could not establish the connection")

// taking makes LiveKit say that its rooms accept only these codecs. Only doctor gets
// this answer: it asks for JSON. The service asks for protobuf, and gets the usual
// answer.
func taking(mimes ...string) func(http.Handler) http.Handler {
	var list []map[string]string
	for _, mime := range mimes {
		list = append(list, map[string]string{"mime": mime})
	}
	return room("enabled_codecs", list)
}

// room makes LiveKit answer with another value for one setting of the room that
// it has created.
func room(setting string, value any) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return at("/CreateRoom", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Content-Type") != "application/json" {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			var room map[string]any
			if err := json.Unmarshal(answer.Body.Bytes(), &room); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			room[setting] = value
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(room) // fails only if the client has gone
		})(next)
	}
}

// unjoined makes the join fail after the SFU has named these candidates.
func unjoined(candidates ...instruments.Candidate) func(*stack) {
	return func(s *stack) {
		publicSFU(s)
		s.media.Candidates = candidates
		s.joinErr = &instruments.JoinError{Media: s.media, Err: errICE}
	}
}

var mediaBreaks = map[string]func(*stack){
	"join-refused":    func(s *stack) { s.joinErr = errNotJoined },
	"candidates-none": unjoined(),
	"candidates-docker": func(s *stack) {
		publicSFU(s)
		s.media.Candidates = []instruments.Candidate{address("udp", "172.18.0.2:50000")}
	},
	"candidates-private": func(s *stack) {
		publicSFU(s)
		s.media.Candidates = []instruments.Candidate{address("udp", "192.168.1.5:50000"), address("tcp", sfuIP+":7881")}
	},
	"candidates-bridge-too": func(s *stack) {
		s.media.Candidates = append(s.media.Candidates, address("udp", "203.0.113.4:50000"), address("udp", "172.18.0.2:50000"))
	},
	"candidates-elsewhere": func(s *stack) {
		publicSFU(s)
		s.media.Candidates = []instruments.Candidate{address("udp", "203.0.113.99:50000"), address("tcp", "203.0.113.99:7881")}
		s.routes["tcp 203.0.113.99:7881"] = "127.0.0.1:1"
		s.media.Servers[0].URLs = []string{"turn:203.0.113.99:3478?transport=udp"}
	},
	"media-hairpin": unjoined(address("udp", "203.0.113.4:50000")),
	"media-closed":  unjoined(address("udp", "203.0.113.4:50000"), address("udp", "192.168.1.5:50000")),
	"media-no-data": func(s *stack) { s.silence = true; s.anonymous() },
	"media-not-udp": func(s *stack) { s.media.Way = "tcp" },
	"ice-tcp-none":  func(s *stack) { s.media.Candidates = s.media.Candidates[:1] },
	"turn-tls":      func(s *stack) { s.certs[turnHost] = s.ca.Certificate("nas.example.org") },
	"turn-website": func(s *stack) {
		s.serve(turnIP+":443", turnHost, http.NotFoundHandler())
	},
	"turn-refused": func(s *stack) { s.media.Servers[0].Password = "wrong" },

	"token-unauthorized": func(s *stack) {
		s.hs.Script(matrixError(http.StatusUnauthorized, "M_UNKNOWN_TOKEN"))
	},
	"token-refused":   func(s *stack) { s.jwtProxy = postTo("/sfu/get") },
	"sfu-url-strange": func(s *stack) { s.service = func(h *handler.Handler) { h.URL = "sfu.example.org" } },
	"sfu-url-differs": func(s *stack) { s.service = func(h *handler.Handler) { h.URL = "wss://old.example.org" } },
}

// postTo makes a proxy answer POST requests to path as the service answers a
// malformed request.
func postTo(path string) func(http.Handler) http.Handler {
	refuse := adding("Access-Control-Allow-Origin", "*", matrixError(http.StatusBadRequest, "M_BAD_JSON"))
	return func(next http.Handler) http.Handler {
		return at(path, method(http.MethodPost, refuse)(next).ServeHTTP)(next)
	}
}
