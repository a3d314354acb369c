package doctor_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/matrix/matrixtest"
)

// notApplicable are the checks that a right deployment may do without.
var notApplicable = []string{"config.registration", "sfu.bare_prefix"}

func TestHealthy(t *testing.T) {
	s := newStack(t)
	report := s.examine()
	for _, c := range report.Checks {
		if c.Status != doctor.OK && !(c.Status == doctor.NA && slices.Contains(notApplicable, c.ID)) {
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
	for _, c := range s.examine().Checks {
		if c.Status != doctor.OK && c.ID != "config.registration" {
			t.Errorf("%s: %s: %s %s", c.ID, c.Status, c.Seen, c.Cause)
		}
	}
}

// TestWithoutIPv6: a machine that has none does not judge an AAAA record.
func TestWithoutIPv6(t *testing.T) {
	s := newStack(t)
	s.dns[jwtHost] = append(s.dns[jwtHost], "fd00::3")
	s.unreachable["[fd00::3]:443"] = true
	for _, c := range s.examine().Checks {
		if c.ID == "public.addresses" && (c.Status != doctor.OK || !strings.Contains(c.Seen, "fd00::3")) {
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
	s.media.Candidates = []doctor.Candidate{address("udp", "203.0.113.1:50000")}
	report := s.examine()
	want := map[string]doctor.Status{
		"homeserver.addresses": doctor.Warn, "sfu.addresses": doctor.Warn, "homeserver.wellknown": doctor.NA, "public.healthz": doctor.NA,
		"homeserver.userinfo": doctor.OK, "homeserver.transports": doctor.OK, "homeserver.delayed_schedule": doctor.OK,
		"sfu.api": doctor.OK, "sfu.join": doctor.OK, "webhook.round_trip": doctor.OK,
	}
	for _, c := range report.Checks {
		if status, there := want[c.ID]; there && c.Status != status {
			t.Errorf("%s: %s: %s", c.ID, c.Status, c.Seen)
		}
		if c.Status == doctor.Fail {
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
