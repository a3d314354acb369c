package doctor_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// TestRemediesNameSettings checks that a remedy names the key and the ports of
// this deployment, and not those of the examples.
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
							t.Errorf("the remedy lacks %q: got %s, want %q in it", want, c.Remedy, want)
						}
					}
					return
				}
			}
			t.Error("got a report without the cause, want it named")
		})
	}
}

// TestTwirpRemedy checks the remedy for a Room API that the internet can reach.
// The remedy depends on whether the service itself uses the public address of
// the API.
func TestTwirpRemedy(t *testing.T) {
	for want, change := range map[string]func(*stack){
		"this service has LIVEKIT_INTERNAL_URL, so it does not need the public address: refuse /twirp/ in":  func(*stack) {},
		"first set LIVEKIT_INTERNAL_URL to http://livekit:7880 and create the container again":              func(s *stack) { delete(s.env, "LIVEKIT_INTERNAL_URL") },
		"if LIVEKIT_INTERNAL_URL is not set, set it to http://livekit:7880":                                 func(s *stack) { s.anonymous(); s.outside(); s.options.SFUURL = "wss://" + sfuHost },
		"refuse /livekit/sfu/twirp/ in the proxy of sfu.example.org. nginx: location /livekit/sfu/twirp/ {": prefixedTwirp,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			breaks["twirp-public"](s)
			change(s)
			for _, c := range s.examine().Checks {
				if c.ID == "sfu.api_hidden" && (c.Status != engine.Warn || !strings.Contains(c.Remedy, want)) {
					t.Errorf("%s: got %s: %s\n%s, want a warning, and %q in the remedy", c.ID, c.Status, c.Seen, c.Remedy, want)
				}
			}
		})
	}
}

func prefixedTwirp(s *stack) {
	s.env["LIVEKIT_URL"] += "/livekit/sfu"
	s.sfuProxy = func(http.Handler) http.Handler { return http.StripPrefix("/livekit/sfu", s.lkProxy()) }
}

// TestGuess checks that doctor --outside looks for LiveKit beside the service.
// If LiveKit answers there, doctor must check it.
func TestGuess(t *testing.T) {
	s := newStack(t)
	s.anonymous()
	s.outside()
	want := map[string]string{
		"sfu.addresses": "LiveKit answers at wss://" + sfuHost + ", which doctor guessed from the service's address; ",
		"sfu.websocket": "so it arrives", "sfu.tcp_port": "port 7881",
	}
	for _, c := range s.examine().Checks {
		if seen, asked := want[c.ID]; asked && (c.Status != engine.OK || !strings.Contains(c.Seen, seen)) {
			t.Errorf("%s: %s %q, want %q", c.ID, c.Status, c.Seen, seen)
		}
		delete(want, c.ID)
	}
	if len(want) > 0 {
		t.Errorf("checks that were not made: got %v, want none", want)
	}
}

// TestOutsidePort checks that doctor tests the port for media over TCP that
// LiveKit told the user.
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
			t.Errorf("%s: got %s: %s %s, want ok, and port 7991 in it", c.ID, c.Status, c.Seen, c.Remedy)
		}
	}
}

// TestWebSocketSeen checks that doctor does not take LiveKit's 401 for an error
// page of the proxy.
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
