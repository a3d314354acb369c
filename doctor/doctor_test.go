package doctor_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// notApplicable are the checks that the stack does without: it has no
// application service, and LiveKit has a name of its own.
var notApplicable = []string{"config.registration", "service.app_service", "service.membership", "sfu.bare_prefix"}

func TestHealthy(t *testing.T) {
	s := newStack(t)
	report := s.examine()
	for _, c := range report.Checks {
		want := engine.OK
		if slices.Contains(notApplicable, c.ID) {
			want = engine.NA
		}
		if c.Status != want {
			t.Errorf("%s: %s: %s %s", c.ID, c.Status, c.Seen, c.Cause)
		}
	}
	if rooms := s.lk.Rooms(); len(rooms) > 0 {
		t.Errorf("rooms that the probes made are still there: %v", rooms)
	}
}

// TestOneHost: path prefixes on the server name's own host are as right as
// names of their own.
func TestOneHost(t *testing.T) {
	s := newStack(t)
	oneHost(s)
	for _, c := range s.examine().Checks {
		if c.Status != engine.OK && c.ID != "config.registration" && c.ID != "service.app_service" && c.ID != "service.membership" {
			t.Errorf("%s: %s: %s %s", c.ID, c.Status, c.Seen, c.Cause)
		}
	}
}

// oneHost has the server name's own host serve all by prefixes.
func oneHost(s *stack) {
	foci("https://example.org/livekit/jwt")(s)
	s.env["LIVEKIT_URL"] = "wss://example.org/livekit/sfu"
	s.service = func(h *handler.Handler) { h.URL = "wss://example.org/livekit/sfu" }
	document := s.wellKnown
	s.wellKnown = func(host string) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/.well-known/matrix/client", document(host))
		mux.HandleFunc("/livekit/jwt/", func(w http.ResponseWriter, r *http.Request) {
			http.StripPrefix("/livekit/jwt", s.proxy(s.inside, "198.51.100.7")).ServeHTTP(w, r)
		})
		mux.Handle("/livekit/sfu/", http.StripPrefix("/livekit/sfu", withoutTwirp(s.newLiveKit())))
		return mux
	}
}

// TestWithoutIPv6: a machine that has none does not judge an AAAA record.
func TestWithoutIPv6(t *testing.T) {
	s := newStack(t)
	s.dns[jwtHost] = append(s.dns[jwtHost], "fd00::3")
	s.unreachable["[fd00::3]:443"] = true
	for _, c := range s.examine().Checks {
		if c.ID == "public.addresses" && (c.Status != engine.OK || !strings.Contains(c.Seen, "fd00::3")) {
			t.Errorf("%s: %s", c.Status, c.Seen)
		}
	}
}

// TestHairpinOfOne: where one of two addresses is behind NAT loopback, the other
// answers, and all is looked at.
func TestHairpinOfOne(t *testing.T) {
	s := newStack(t)
	s.dns[jwtHost] = []string{jwtIP, "203.0.113.3"}
	s.routes["tcp 203.0.113.3:443"] = "silent"
	for _, c := range s.examine().Checks {
		switch {
		case c.ID == "public.addresses" && (c.CauseID != "hairpin" || strings.Contains(c.Remedy, "remove")):
			t.Errorf("%s: %s: %s", c.CauseID, c.Seen, c.Remedy)
		case c.ID == "public.healthz" && c.Status != engine.OK, c.ID != "public.addresses" && c.CauseID != "":
			t.Errorf("%s: %s: %s", c.ID, c.CauseID, c.Seen)
		}
	}
}

// TestEqualAddresses: what is written otherwise is the same place all the same.
func TestEqualAddresses(t *testing.T) {
	for name, change := range map[string]func(*stack){
		"--public-url": func(s *stack) { s.options.PublicURL = parse("https://JWT.example.org:443/") },
		"--sfu-url":    func(s *stack) { s.options.SFUURL = "wss://SFU.example.org:443/" },
		"transports": func(s *stack) {
			s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://jwt.example.org/"}]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			change(s)
			for _, c := range s.examine().Checks {
				if c.CauseID != "" {
					t.Errorf("%s: %s: %s", c.ID, c.CauseID, c.Seen)
				}
			}
		})
	}
}

// TestOwnServerMissing: the setting that is proposed keeps the servers that are
// there.
func TestOwnServerMissing(t *testing.T) {
	var many string
	for n := range 10 {
		many += fmt.Sprintf("homeserver-%d-of-others.example.org,", n)
	}
	for list, want := range map[string]string{
		"other.org,more.org": "LIVEKIT_FULL_ACCESS_HOMESERVERS=other.org,more.org,example.org",
		many + "other.org":   "add example.org to what is there: LIVEKIT_FULL_ACCESS_HOMESERVERS=…,example.org",
	} {
		s := newStack(t)
		set("LIVEKIT_FULL_ACCESS_HOMESERVERS", list)(s)
		s.options = doctor.Options{Servers: apex(t), Only: []string{"config"}}
		for _, c := range s.examine().Checks {
			if c.ID == "config.full_access" && (c.CauseID != "own-server-missing" || !strings.Contains(c.Remedy, want)) {
				t.Errorf("%s: %s, want %s", c.CauseID, c.Remedy, want)
			}
		}
	}
}

// TestNoObject: JSON that is no object says nothing of where calls go.
func TestNoObject(t *testing.T) {
	for _, text := range []string{`null`, `[]`, `"https://jwt.example.org"`} {
		s := newStack(t)
		s.wellKnown = func(string) http.Handler { return document(text) }
		s.options.Only = []string{"homeserver"}
		for _, c := range s.examine().Checks {
			if got := c.CauseID; got != "" && got != "wellknown-not-json" || c.ID == "homeserver.wellknown" && got == "" {
				t.Errorf("%s: %s: %s: %s", text, c.ID, got, c.Seen)
			}
		}
	}
}

// TestLegacyTURN: the homeserver's TURN server is told for what it is, as the
// table has it.
func TestLegacyTURN(t *testing.T) {
	var note engine.Cause
	for _, c := range doctor.Causes() {
		if slices.Contains(c.Checks, "homeserver.legacy_turn") {
			note = c
		}
	}
	if !slices.Contains(note.Rows, 22) || !strings.Contains(doctor.Troubleshooting(), "coturn") {
		t.Errorf("the table says nothing of it: %+v", note)
	}
	for _, c := range newStack(t).examine().Checks {
		if c.ID == "homeserver.legacy_turn" && (c.Status != engine.OK || !strings.Contains(c.Seen, "turn:turn.example.org") || !strings.HasSuffix(c.Seen, note.Text)) {
			t.Errorf("%s: %s", c.Status, c.Seen)
		}
	}
}

// TestBehindHairpin: where nothing public answers from inside, what the
// operator said of the inside is looked at all the same.
func TestBehindHairpin(t *testing.T) {
	s := newStack(t)
	for host, address := range map[string]string{apexHost: "203.0.113.1", matrixHost: "203.0.113.1", jwtHost: "203.0.113.1", sfuHost: "203.0.113.1"} {
		s.dns[host] = []string{address}
	}
	s.dns["synapse"] = []string{"10.0.0.8"}
	s.env["LIVEKIT_FEDERATION_URL_OVERRIDES"] = apexHost + "=http://synapse:8008"
	s.env["LIVEKIT_CS_API_URL_OVERRIDES"] = apexHost + "=http://synapse:8008"
	synapse := newServer(s, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.newClientAPI().ServeHTTP(w, r) }))
	s.routes["tcp 10.0.0.8:8008"] = synapse
	s.media.Candidates = []instruments.Candidate{address("udp", "203.0.113.1:50000")}
	report := s.examine()
	want := map[string]engine.Status{
		"homeserver.addresses": engine.Warn, "sfu.addresses": engine.Warn, "homeserver.wellknown": engine.NA, "public.healthz": engine.NA,
		"homeserver.userinfo": engine.OK, "homeserver.transports": engine.OK, "homeserver.delayed_schedule": engine.OK,
		"sfu.api": engine.OK, "sfu.join": engine.OK, "webhook.round_trip": engine.OK,
	}
	for _, c := range report.Checks {
		if status, there := want[c.ID]; there && c.Status != status {
			t.Errorf("%s: %s: %s", c.ID, c.Status, c.Seen)
		}
		if c.Status == engine.Fail {
			t.Errorf("%s: %s", c.ID, c.Seen)
		}
	}
}

// TestDiscovery tells each way in which a homeserver is found.
func TestDiscovery(t *testing.T) {
	srv := matrixtest.SRV{Target: "fed.example.org", Port: 8449}
	for want, change := range map[string]func(s *stack){
		"no SRV record, so it is port 8448":                func(*stack) {},
		"a SRV record says so":                             func(s *stack) { s.net.SetSRV("_matrix-fed._tcp.example.org", srv) },
		"LIVEKIT_FEDERATION_URL_OVERRIDES says so":         set("LIVEKIT_FEDERATION_URL_OVERRIDES", apexHost+"=https://fed.example.org:8449"),
		"names matrix.example.org:443":                     delegated("matrix.example.org:443"),
		"names matrix.example.org, and that has a SRV":     func(s *stack) { delegated(matrixHost)(s); s.net.SetSRV("_matrix-fed._tcp.matrix.example.org", srv) },
		"well-known of example.org: no delegation: m.serv": delegated("not a name"),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.options.Servers = apex(t)
			change(s)
			for _, c := range s.examine().Checks {
				if c.ID == "homeserver.discovery" && !strings.Contains(c.Seen, want) {
					t.Errorf("%s: %s", c.Status, c.Seen)
				}
			}
		})
	}
}

// delegated has the server name delegate its federation API.
func delegated(to string) func(*stack) {
	return func(s *stack) {
		s.wellKnown = func(string) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", document(goodDocument))
			mux.Handle("/.well-known/matrix/server", document(`{"m.server":"`+to+`"}`))
			return mux
		}
	}
}

// TestServerNameWithPort: the document of a server name with a port, or of an
// address, is looked for at port 443 of its host.
func TestServerNameWithPort(t *testing.T) {
	for name, document := range map[string]string{
		"example.org:8448": "https://example.org/.well-known/matrix/client",
		"[fd00::1]:8448":   "https://[fd00::1]/.well-known/matrix/client",
		"[fd00::1]":        "https://[fd00::1]/.well-known/matrix/client",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.anonymous()
			s.outside()
			s.options.Servers = []matrix.ServerName{serverName(t, name)}
			s.options.SFUURL = "wss://" + sfuHost
			for _, c := range s.examine().Checks {
				switch c.ID {
				case "homeserver.addresses", "homeserver.tls":
					if c.Status != engine.OK {
						t.Errorf("%s: %s: %s", c.ID, c.Status, c.Seen)
					}
				case "homeserver.wellknown":
					if want := "GET " + document + ": JSON"; !strings.HasPrefix(c.Seen, want) {
						t.Errorf("%s, want %s", c.Seen, want)
					}
				}
			}
		})
	}
}

// TestOneMachine: where client, proxy and service have one address, the proxy
// tells it all the same.
func TestOneMachine(t *testing.T) {
	s := newStack(t)
	s.visitor = "127.0.0.1"
	for _, c := range s.examine().Checks {
		if c.ID == "service.client_address" && (c.Status != engine.OK || !strings.Contains(c.Seen, "127.0.0.1")) {
			t.Errorf("%s: %s", c.Status, c.Seen)
		}
	}
}

// TestRemediesNameSettings: a remedy names the key and the ports of this
// deployment, not those of the examples.
func TestRemediesNameSettings(t *testing.T) {
	for id, wants := range map[string][]string{
		"webhook-missing": {"api_key: ours", "http://matrixrtc-auth:LISTEN/sfu_webhook"},
		"webhook-refused": {"webhook.api_key in livekit.yaml to ours"},
		"media-closed":    {"20000-20300/udp", "7991/tcp"},
		"media-not-udp":   {"20000-20300/udp"},
		"turn-refused":    {"3479/udp"},
		"sfu-api-connect": {"http://livekit:7890"},
		"sfu-proxy":       {"http://127.0.0.1:7890"},
		"ice-tcp-closed":  {"publish 7991", "7991/tcp"},

		"service-proxy":       {"http://127.0.0.1:LISTEN", "publish LISTEN"},
		"service-is-sfu":      {"to port LISTEN instead of 7890"},
		"prefix-not-stripped": {"http://127.0.0.1:LISTEN/;"},
		"service-no-route":    {"http://127.0.0.1:LISTEN"},
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			breaks[id](s)
			s.env["LIVEKIT_KEY"] = "ours"
			s.lk = sfutest.New(sfu.Key{ID: "ours", Secret: stackKey.Secret})
			for _, change := range []struct{ old, new string }{
				{"api_key: matrixrtc", "api_key: ours"}, {"port: 7880", "port: 7890"}, {"tcp_port: 7881", "tcp_port: 7991"},
				{"port_range_end: 20200", "port_range_end: 20300"}, {"udp_port: 3478", "udp_port: 3479"},
			} {
				replace(change.old, change.new)(s)
			}
			for i, c := range s.media.Candidates {
				if c.Network == "tcp" {
					s.media.Candidates[i] = address("tcp", c.Addr.Addr().String()+":7991")
				}
			}
			for _, c := range s.examine().Checks {
				if c.CauseID == id {
					_, listen, _ := net.SplitHostPort(s.env["LIVEKIT_JWT_BIND"])
					for _, want := range wants {
						want = strings.ReplaceAll(want, "LISTEN", listen)
						if !strings.Contains(c.Remedy, want) {
							t.Errorf("no %q in: %s", want, c.Remedy)
						}
					}
					return
				}
			}
			t.Error("the cause is not named")
		})
	}
}

// TestTwirpRemedy: whether the API may be refused outside depends on the way of
// the service itself.
func TestTwirpRemedy(t *testing.T) {
	for want, change := range map[string]func(*stack){
		"LIVEKIT_INTERNAL_URL is set, so nothing needs that way: refuse /twirp/ in":                   func(*stack) {},
		"first set LIVEKIT_INTERNAL_URL to http://livekit:7880 and start the container again":         func(s *stack) { delete(s.env, "LIVEKIT_INTERNAL_URL") },
		"if LIVEKIT_INTERNAL_URL is not set, set it to http://livekit:7880 first":                     func(s *stack) { s.anonymous(); s.outside(); s.options.SFUURL = "wss://" + sfuHost },
		"refuse /livekit/sfu/twirp/ in the proxy of sfu.example.org, as nginx does with location /li": prefixedTwirp,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			breaks["twirp-public"](s)
			change(s)
			for _, c := range s.examine().Checks {
				if c.ID == "sfu.api_hidden" && (c.Status != engine.Warn || !strings.Contains(c.Remedy, want)) {
					t.Errorf("%s: %s\n%s", c.Status, c.Seen, c.Remedy)
				}
			}
		})
	}
}

func prefixedTwirp(s *stack) {
	s.env["LIVEKIT_URL"] += "/livekit/sfu"
	s.sfuProxy = func(http.Handler) http.Handler { return http.StripPrefix("/livekit/sfu", s.lkProxy()) }
}

// TestGuess: outside, LiveKit is looked for beside the service, and looked at if
// it answers there.
func TestGuess(t *testing.T) {
	s := newStack(t)
	s.anonymous()
	s.outside()
	want := map[string]string{
		"sfu.addresses": "LiveKit answers at wss://" + sfuHost + ", beside the service; ",
		"sfu.websocket": "so it arrives", "sfu.tcp_port": "port 7881",
	}
	for _, c := range s.examine().Checks {
		if seen, asked := want[c.ID]; asked && (c.Status != engine.OK || !strings.Contains(c.Seen, seen)) {
			t.Errorf("%s: %s %q, want %q", c.ID, c.Status, c.Seen, seen)
		}
		delete(want, c.ID)
	}
	if len(want) > 0 {
		t.Errorf("not looked at: %v", want)
	}
}

// TestOutsidePort: the port for media over TCP is the one that LiveKit told the
// user.
func TestOutsidePort(t *testing.T) {
	s := newStack(t)
	s.outside()
	s.routes["tcp "+sfuIP+":7881"] = "127.0.0.1:1"
	s.media.Candidates[1] = address("tcp", sfuIP+":7991")
	ice := s.listen()
	go answerStreams(ice)
	s.route("tcp", sfuIP+":7991", ice.Addr().String())
	for _, c := range s.examine().Checks {
		if c.ID == "sfu.tcp_port" && (c.Status != engine.OK || !strings.Contains(c.Seen, "port 7991")) {
			t.Errorf("%s: %s %s", c.Status, c.Seen, c.Remedy)
		}
	}
}

// TestWebSocketSeen: LiveKit's 401 is no error page of the proxy that it came
// through.
func TestWebSocketSeen(t *testing.T) {
	s := newStack(t)
	s.sfuProxy = at("/rtc", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "nginx")
		http.Error(w, "no permissions", http.StatusUnauthorized)
	})
	for _, c := range s.examine().Checks {
		if want := "/rtc: 401 Unauthorized, so it arrives"; c.ID == "sfu.websocket" && !strings.HasSuffix(c.Seen, want) {
			t.Errorf("%s, want %s", c.Seen, want)
		}
	}
}
