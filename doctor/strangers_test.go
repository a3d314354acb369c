package doctor_test

import (
	"crypto/tls"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix/matrixtest"
)

func init() { maps.Copy(mixed, strangeMixed) }

// strangeMixed are stacks in which proxies and filters answer wrongly or not at
// all. Each entry lists all findings that doctor must report.
var strangeMixed = map[string]mix{
	"TLS wants a certificate of clients": {
		func(s *stack) {
			s.anonymous()
			s.routes["tcp "+jwtIP+":443"] = certified(s, jwtHost)
		},
		[]string{"public.healthz proxy-certificate"},
	},
	"TLS before LiveKit wants a certificate of clients": {
		func(s *stack) {
			s.anonymous()
			s.routes["tcp "+sfuIP+":443"] = certified(s, sfuHost)
		},
		[]string{"sfu.websocket proxy-certificate"},
	},
	"large packets get lost at the one address of all names": {
		func(s *stack) {
			oneAddress(s)
			s.anonymous()
			s.routes["tcp "+apexIP+":443"] = s.listen().Addr().String()
			s.serve("10.0.0.33:443", apexHost, http.NotFoundHandler())
			s.routes["small tcp "+apexIP+":443"] = s.routes["tcp 10.0.0.33:443"]
			s.routes["tcp "+apexIP+":8448"] = "127.0.0.1:1"
		},
		[]string{"homeserver.tls packets-lost"},
	},
	"nobody at the one address of all names begins TLS": {
		func(s *stack) {
			oneAddress(s)
			s.anonymous()
			s.routes["tcp "+apexIP+":443"] = s.listen().Addr().String()
			s.routes["tcp "+apexIP+":8448"] = "127.0.0.1:1"
		},
		[]string{"homeserver.tls tls-silent"},
	},
	"the media of the second participant does not come about": {
		func(s *stack) {
			publicSFU(s)
			s.media.Candidates = []instruments.Candidate{address("udp", "203.0.113.4:50000")}
			s.media.Way, s.silence = "", true
		},
		[]string{"sfu.join media-hairpin"},
	},
	"m.homeserver stands deeper": {
		func(s *stack) {
			text := strings.Replace(goodDocument, `{"m.homeserver":{"base_url":"https://matrix.example.org"},`,
				`{"io.element.e2ee":{"more":{"m.homeserver":{"base_url":"https://matrix.example.org"}}},`, 1)
			s.wellKnown = func(string) http.Handler { return document(text) }
		},
		[]string{"homeserver.base_url wellknown-nested"},
	},
	"LiveKit takes sound alone": {
		func(s *stack) { s.livekit = taking("audio/opus", "audio/red") },
		[]string{"sfu.codecs sfu-codecs"},
	},
	"LiveKit takes what browsers send": {
		func(s *stack) { s.livekit = taking("audio/opus", "video/H264") },
		nil,
	},
	"a service that was just started, and whose registration fails": {
		func(s *stack) {
			var asked atomic.Int64
			s.service = func(h *handler.Handler) {
				h.AppService = &handler.AppService{Status: func() handler.AppServiceStatus {
					status := handler.AppServiceStatus{Server: apexHost}
					if asked.Add(1) > 3 {
						status.Checks = []appservice.Check{{Part: "loop", Seen: "the homeserver does not reach this service", Remedy: "correct proxy_url"}}
					}
					return status
				}}
			}
		},
		[]string{"service.app_service app-service-not-ready"},
	},
	"webhooks go through a proxy that wants a login": {
		func(s *stack) {
			s.webhooks = false
			replace("matrixrtc-auth:8080", jwtHost)(s)
			s.routes["tcp "+jwtIP+":80"] = newServer(s, login(http.StatusUnauthorized))
		},
		[]string{"webhook.round_trip webhook-way"},
	},
}

// certified starts a server that speaks only with clients that show a
// certificate, and returns its address.
func certified(s *stack, host string) string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{s.ca.Certificate(host)}, ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	s.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestDelegationRemedy checks that the remedy names the setting that leads to
// the place where nobody answers.
func TestDelegationRemedy(t *testing.T) {
	srv := matrixtest.SRV{Target: "gone.example.org", Port: 8449}
	for want, change := range map[string]func(s *stack){
		"the value of LIVEKIT_FEDERATION_URL_OVERRIDES":                            set("LIVEKIT_FEDERATION_URL_OVERRIDES", apexHost+"=https://gone.example.org:8449"),
		".well-known/matrix/server of example.org, which names gone.example.org":   delegated("gone.example.org:8449"),
		"the SRV record _matrix-fed._tcp or _matrix._tcp of example.org (":         func(s *stack) { s.net.SetSRV("_matrix-fed._tcp.example.org", srv) },
		"the SRV record _matrix-fed._tcp or _matrix._tcp of fed.example.org, the ": func(s *stack) { delegated("fed.example.org")(s); s.net.SetSRV("_matrix-fed._tcp.fed.example.org", srv) },
		"(it is missing, so this service asks port 8448)":                          func(s *stack) { s.routes["tcp "+apexIP+":8448"] = "127.0.0.1:1" },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.anonymous()
			s.options.Servers = apex(t)
			change(s)
			report := s.examine()
			for _, c := range report.Checks {
				if c.ID == "homeserver.userinfo" {
					if !strings.Contains(c.Remedy, want) {
						t.Errorf("remedy of %s: got %s, want %q in it", c.CauseID, c.Remedy, want)
					}
					return
				}
			}
			t.Errorf("got no check homeserver.userinfo, want one:\n%s", text(report))
		})
	}
}
