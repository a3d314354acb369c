package doctor_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// notApplicable are the checks that do not apply to the stack. The stack has no
// application service and checks no membership, and its LiveKit has a host of
// its own.
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
			t.Errorf("%s: got %s: %s %s, want %v", c.ID, c.Status, c.Seen, c.Cause, want)
		}
	}
	if rooms := s.lk.Rooms(); len(rooms) > 0 {
		t.Errorf("rooms of the probes after the run: got %v, want none", rooms)
	}
}

// TestOneHost checks that doctor finds no fault if the server name's host also
// serves this service and LiveKit, each below a path prefix.
func TestOneHost(t *testing.T) {
	s := newStack(t)
	oneHost(s)
	for _, c := range s.examine().Checks {
		if c.Status != engine.OK && c.ID != "config.registration" && c.ID != "service.app_service" && c.ID != "service.membership" {
			t.Errorf("%s: got %s: %s %s, want ok", c.ID, c.Status, c.Seen, c.Cause)
		}
	}
}

// oneHost makes the server name's host also serve this service and LiveKit, each
// below a path prefix.
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

// TestWithoutIPv6 checks that doctor does not judge an AAAA record on a machine
// without IPv6.
func TestWithoutIPv6(t *testing.T) {
	s := newStack(t)
	s.dns[jwtHost] = append(s.dns[jwtHost], "fd00::3")
	s.unreachable["[fd00::3]:443"] = true
	for _, c := range s.examine().Checks {
		if c.ID == "public.addresses" && (c.Status != engine.OK || !strings.Contains(c.Seen, "fd00::3")) {
			t.Errorf("%s: got %s: %s, want ok, and fd00::3 in it", c.ID, c.Status, c.Seen)
		}
	}
}

// TestHairpinOfOne has a host name with two addresses. The public one does not
// answer, perhaps because the router does not let its own network connect to its
// public address. doctor must warn of that, and make all checks at the address
// that answers.
func TestHairpinOfOne(t *testing.T) {
	s := newStack(t)
	s.dns[jwtHost] = []string{jwtIP, "203.0.113.3"}
	s.routes["tcp 203.0.113.3:443"] = "silent"
	for _, c := range s.examine().Checks {
		switch {
		case c.ID == "public.addresses" && (c.CauseID != "hairpin" || strings.Contains(c.Remedy, "remove")):
			t.Errorf("%s: got the cause %s: %s: %s, want hairpin, and nothing to remove", c.ID, c.CauseID, c.Seen, c.Remedy)
		case c.ID == "public.healthz" && c.Status != engine.OK, c.ID != "public.addresses" && c.CauseID != "":
			t.Errorf("%s: got the cause %q: %s, want none", c.ID, c.CauseID, c.Seen)
		}
	}
}

// TestEqualAddresses checks that doctor recognizes the same address in another
// spelling.
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
					t.Errorf("%s: got %s: %s, want none", c.ID, c.CauseID, c.Seen)
				}
			}
		})
	}
}

// TestOwnServerMissing checks that, if LIVEKIT_FULL_ACCESS_HOMESERVERS lacks the
// operator's server, the remedy proposes a list that keeps the servers of the old list.
// If that list is too long, the remedy must shorten it.
func TestOwnServerMissing(t *testing.T) {
	var many string
	for n := range 10 {
		many += fmt.Sprintf("homeserver-%d-of-others.example.org,", n)
	}
	for list, want := range map[string]string{
		"other.org,more.org": "LIVEKIT_FULL_ACCESS_HOMESERVERS=other.org,more.org,example.org",
		many + "other.org":   "add example.org to the list: LIVEKIT_FULL_ACCESS_HOMESERVERS=…,example.org",
	} {
		t.Run(want, func(t *testing.T) {
			s := newStack(t)
			set("LIVEKIT_FULL_ACCESS_HOMESERVERS", list)(s)
			s.options = doctor.Options{Servers: apex(t), Only: []string{"config"}}
			for _, c := range s.examine().Checks {
				if c.ID == "config.full_access" && (c.CauseID != "own-server-missing" || !strings.Contains(c.Remedy, want)) {
					t.Errorf("%s: %s, want %s", c.CauseID, c.Remedy, want)
				}
			}
		})
	}
}

// TestNoObject checks that doctor reports a well-known document whose JSON is
// not an object.
func TestNoObject(t *testing.T) {
	for _, text := range []string{`null`, `[]`, `"https://jwt.example.org"`} {
		t.Run(text, func(t *testing.T) {
			s := newStack(t)
			s.wellKnown = func(string) http.Handler { return document(text) }
			s.options.Only = []string{"homeserver"}
			for _, c := range s.examine().Checks {
				if got := c.CauseID; got != "" && got != "wellknown-not-json" || c.ID == "homeserver.wellknown" && got == "" {
					t.Errorf("%s: %s: got the cause %q (%s), want wellknown-not-json of homeserver.wellknown alone", text, c.ID, got, c.Seen)
				}
			}
		})
	}
}

// TestLegacyTURN checks that doctor reports the homeserver's TURN server with
// the note from the table of causes.
func TestLegacyTURN(t *testing.T) {
	var note engine.Cause
	for _, c := range causes.All() {
		if slices.Contains(c.Checks, "homeserver.legacy_turn") {
			note = c
		}
	}
	if !slices.Contains(note.Rows, 22) || !strings.Contains(causes.Troubleshooting(), "coturn") {
		t.Errorf("got %+v, want row 22, and coturn in the page", note)
	}
	for _, c := range newStack(t).examine().Checks {
		if c.ID == "homeserver.legacy_turn" && (c.Status != engine.OK || !strings.Contains(c.Seen, "turn:turn.example.org") || !strings.HasSuffix(c.Seen, note.Text)) {
			t.Errorf("%s: got %s: %s, want ok, the address, and the note", c.ID, c.Status, c.Seen)
		}
	}
}

// TestBehindHairpin has a homeserver whose public addresses do not answer from
// inside. doctor must still check the inside addresses that the operator set.
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
		"homeserver.addresses": engine.Warn, "sfu.addresses": engine.NA, "homeserver.wellknown": engine.NA, "public.healthz": engine.NA,
		"homeserver.userinfo": engine.OK, "homeserver.transports": engine.OK, "homeserver.delayed_schedule": engine.OK,
		"sfu.api": engine.OK, "sfu.join": engine.OK, "webhook.round_trip": engine.OK,
	}
	for _, c := range report.Checks {
		if status, there := want[c.ID]; there && c.Status != status {
			t.Errorf("%s: got %s: %s, want %s", c.ID, c.Status, c.Seen, status)
		}
		if c.Status == engine.Fail {
			t.Errorf("%s: %s: got %v, want another status than %v", c.ID, c.Seen, c.Status, engine.Fail)
		}
		const plain = "http://synapse:8008, without TLS: LIVEKIT_FEDERATION_URL_OVERRIDES says so"
		if c.ID == "homeserver.discovery" && c.Seen != plain {
			t.Errorf("%s at an http:// address: got %q, want %q", c.ID, c.Seen, plain)
		}
	}
}

// TestDiscovery checks what doctor says about each way to find a homeserver.
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
					t.Errorf("%s: got %s: %s, want %q in it", c.ID, c.Status, c.Seen, want)
				}
			}
		})
	}
}

// delegated makes .well-known/matrix/server say that the federation API is at the
// given address.
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

// TestServerNameWithPort checks that doctor requests the well-known document at
// port 443 of the server name's host. The server name may have another port, or
// be an IP address.
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
			s.options.Servers = []matrix.ServerName{matrixtest.ServerName(t, name)}
			s.options.SFUURL = "wss://" + sfuHost
			for _, c := range s.examine().Checks {
				switch c.ID {
				case "homeserver.addresses", "homeserver.tls":
					if c.Status != engine.OK {
						t.Errorf("%s: got %s: %s, want %v", c.ID, c.Status, c.Seen, engine.OK)
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

// TestOneMachine checks that doctor finds no fault in the client's address if
// client, proxy and service have the same address.
func TestOneMachine(t *testing.T) {
	s := newStack(t)
	s.visitor = "127.0.0.1"
	for _, c := range s.examine().Checks {
		if c.ID == "service.client_address" && (c.Status != engine.OK || !strings.Contains(c.Seen, "127.0.0.1")) {
			t.Errorf("%s: got %s: %s, want ok, and 127.0.0.1 in it", c.ID, c.Status, c.Seen)
		}
	}
}
