package doctor_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
)

func init() { maps.Copy(mixed, oneFault) }

// oneFault are faults that affect several checks. Only the listed check may
// report the fault.
var oneFault = map[string]mix{
	"the proxy of all names does not run": {
		func(s *stack) {
			oneAddress(s)
			s.routes["tcp "+apexIP+":443"] = "127.0.0.1:1"
		},
		[]string{"homeserver.addresses apex-closed"},
	},
	"the proxy of all names does not speak TLS": {
		func(s *stack) {
			oneAddress(s)
			s.routes["tcp "+apexIP+":443"] = newServer(s, http.NotFoundHandler())
		},
		[]string{"homeserver.tls tls-none"},
	},
	"the certificate of the homeserver's host has expired, from outside": {
		func(s *stack) {
			s.certs[matrixHost] = s.ca.CertificateUntil(time.Now().Add(-time.Hour), matrixHost)
			s.anonymous()
			s.outside()
		},
		[]string{"homeserver.client_tls tls-expired"},
	},
	"a dead AAAA record of the homeserver's host": {
		func(s *stack) { s.dns[matrixHost] = append(s.dns[matrixHost], "fd00::99") },
		[]string{"homeserver.client_addresses dead-ipv6"},
	},
	"a dead IPv6 address of all names": {
		func(s *stack) {
			for _, host := range []string{apexHost, matrixHost, jwtHost, sfuHost} {
				s.dns[host] = append(s.dns[host], "fd00::99")
			}
		},
		[]string{"homeserver.addresses dead-ipv6"},
	},
	"a limit after the first request": {
		func(s *stack) { s.jwtProxy = afterOne(recorded("nginx-503")); s.anonymous() },
		[]string{"public.routes proxy-limits"},
	},
	"POST is redirected": {
		func(s *stack) {
			s.jwtProxy = method(http.MethodPost, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://"+jwtHost+"/app", http.StatusMovedPermanently)
			})
			s.anonymous()
		},
		[]string{"public.cors proxy-redirects"},
	},
	"the list holds the host for clients, which has nothing of a name": {
		func(s *stack) {
			s.anonymous()
			set("LIVEKIT_FULL_ACCESS_HOMESERVERS", matrixHost)(s)
			s.wellKnown = func(string) http.Handler { return http.NotFoundHandler() }
			s.client = at("/_matrix/key/v2/server", answering(`{"server_name":"`+apexHost+`"}`).ServeHTTP)
		},
		[]string{"homeserver.identity other-server-name"},
	},
	"clients reach a worker that restarts delayed events and sends none, the override goes past it": {
		func(s *stack) {
			s.dns["synapse"] = []string{"10.0.0.9"}
			s.routes["tcp 10.0.0.9:8008"] = newServer(s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.newClientAPI().ServeHTTP(w, r) }))
			s.env["LIVEKIT_CS_API_URL_OVERRIDES"] = apexHost + "=http://synapse:8008"
			s.client = at(nobodysEvent+"/send", matrixError(http.StatusNotFound, "M_UNRECOGNIZED"))
		},
		[]string{"homeserver.client_public delayed-events-route"},
	},
	"the homeserver has answered leaves with 429": {
		func(s *stack) {
			s.service = func(h *handler.Handler) {
				h.Leaves = func(context.Context) handler.LeaveStatus {
					return handler.LeaveStatus{
						RefusedBy: []string{}, SFUAnswers: true, Store: handler.StoreStatus{Kind: "memory", State: "ok"},
						Limited: []handler.LimitedStatus{{Server: "old.org", Count: 1, Last: time.Now().Add(-2 * time.Hour)}, {Server: apexHost, Count: 185, Last: time.Now()}},
					}
				}
			}
		},
		[]string{"service.delegation delayed-events-limited"},
	},
	"a proxy that answers for transports with a bare list": {
		func(s *stack) {
			s.client = at(transportsRoute, document(`[{"type":"livekit","livekit_service_url":"https://jwt.example.org"}]`).ServeHTTP)
			s.anonymous()
		},
		[]string{"homeserver.transports transports-proxy"},
	},
	"a proxy that answers for transports without the CORS header": {
		func(s *stack) {
			s.client = at(transportsRoute, answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://jwt.example.org"}]}`).ServeHTTP)
			s.anonymous()
		},
		[]string{"homeserver.transports transports-proxy"},
	},
	"a proxy that answers for transports as a homeserver does": {
		func(s *stack) {
			s.client = at(transportsRoute, document(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://jwt.example.org"}]}`).ServeHTTP)
			s.anonymous()
		},
		nil,
	},
	"a namespace of another server": {registering(`namespaces: {users: [{exclusive: false, regex: '@.*:other\.org'}]}`), []string{"config.registration registration"}},
	"no namespace":                  {registering(`namespaces: {users: []}`), []string{"config.registration registration"}},
	"equal tokens": {
		registering("hs_token: an-as-token-of-many-letters-0123456789"),
		[]string{"config.registration registration"},
	},
	"relay ports among those of media": {
		both(replace("port_range_start: 20000", "port_range_start: 29000"), replace("port_range_end: 20200", "port_range_end: 30000")),
		[]string{"livekit.ports livekit-ports-clash"},
	},
	"relay ports beside those of media": {
		both(replace("port_range_start: 20000", "port_range_start: 29000"), replace("port_range_end: 20200", "port_range_end: 30000"),
			replace("  udp_port: 3478\n", "  udp_port: 3478\n  relay_range_start: 30001\n  relay_range_end: 30100\n")),
		nil,
	},
	"LiveKit's Redis is in a network of its own": {replace("port: 7880\n", "port: 7880\nredis: {address: \"redis:6379\"}\n"), nil},
	"IPv4 candidates are private, those of IPv6 are not": {
		func(s *stack) {
			publicSFU(s)
			s.media.Candidates = []instruments.Candidate{address("udp", "192.168.1.5:50000"), address("udp", "[2001:db8::10]:50000"), address("tcp", sfuIP+":7881")}
		},
		[]string{"sfu.candidates candidates-private"},
	},
	"an address of media that the SFU's name does not have, behind Cloudflare": {
		func(s *stack) {
			breaks["candidates-elsewhere"](s)
			s.sfuProxy = func(next http.Handler) http.Handler { return adding("Cf-Ray", "8f1d2c3b4a5e6f70-FRA", next) }
		},
		[]string{"sfu.ice_tcp hairpin"},
	},
}

// registering makes the service use a registration file. The file is correct,
// except for one line. The argument replaces the line that has the same key.
func registering(line string) func(*stack) {
	key, _, _ := strings.Cut(line, ":")
	var lines []string
	for good := range strings.Lines(openRegistration) {
		if !strings.HasPrefix(good, key+":") {
			lines = append(lines, good)
		}
	}
	text := strings.Join(lines, "") + "\n" + line + "\n"
	return func(s *stack) {
		s.env["LIVEKIT_AS_REGISTRATION_FILE"] = s.file("registration.yaml", text)
		s.env["LIVEKIT_HS_SERVER_NAME"] = apexHost
	}
}

// openRegistration is the text of a correct registration file.
const openRegistration = `id: matrixrtc-auth
as_token: an-as-token-of-many-letters-0123456789
hs_token: an-hs-token-of-many-letters-0123456789
sender_localpart: matrixrtc
rate_limited: false
url: null
namespaces: {users: [{exclusive: false, regex: '@.*:example\.org'}]}
io.element.msc4502.scopes: ["urn:matrix:client:io.element.msc4502:rooms:is_joined"]
io.element.msc4512.proxy_url: http://matrixrtc-auth:8080
io.element.msc4512.proxy_prefix: rtc/livekit
`

// oneAddress makes one proxy answer for every name.
func oneAddress(s *stack) {
	for _, host := range []string{apexHost, matrixHost, jwtHost, sfuHost} {
		s.dns[host] = []string{apexIP}
	}
	s.anonymous()
}

// afterOne returns a middleware. It passes the first request to the handler
// behind it, and all later requests to the handler answer.
func afterOne(answer http.HandlerFunc) func(http.Handler) http.Handler {
	var n atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) > 1 {
				answer(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// TestOwnAddress checks that doctor does not blame the router if a public
// address belongs to this machine and refuses connections.
func TestOwnAddress(t *testing.T) {
	s := newStack(t)
	s.dns[apexHost] = []string{"203.0.113.3"}
	s.routes["tcp 203.0.113.3:443"] = "127.0.0.1:1"
	s.options = doctor.Options{Only: []string{"homeserver.addresses"}}
	look := s.look()
	for _, test := range []struct{ own, want string }{{"203.0.113.3/24", "apex-closed"}, {"203.0.113.4/24", "hairpin"}} {
		t.Run(test.own, func(t *testing.T) {
			look.Interfaces = func() ([]net.Addr, error) {
				ip, mask, err := net.ParseCIDR(test.own)
				return []net.Addr{&net.IPNet{IP: ip, Mask: mask.Mask}}, err
			}
			if err := doctor.Prepare(look, &s.options, s.load); err != nil {
				t.Fatal(err)
			}
			report := doctor.Examine(t.Context(), look, s.options, func(string, engine.Status, int) {})
			if got := report.Checks[0].CauseID; got != test.want {
				t.Errorf("this machine is %s: the cause is %q, want %q; seen is %q", test.own, got, test.want, report.Checks[0].Seen)
			}
		})
	}
}
