package setup

import (
	"slices"
	"strings"
	"testing"
)

// TestFaultyPorts checks that setup refuses each wrong value, and says the true
// reason and what to write.
func TestFaultyPorts(t *testing.T) {
	for flags, says := range map[string][]string{
		// Wrong ranges of ports.
		"--udp-range 50000":                {"--udp-range:", `"50000" is one port, not a range`, "like 20000-20200"},
		"--udp-range 50200-50000":          {"--udp-range:", "ends before it begins", "like 20000-20200"},
		"--udp-range 50000-50005":          {"--udp-range:", "too small"},
		"--udp-range 1000-1100":            {"--udp-range:", "below 1024"},
		"--udp-range 10000-60000":          {"--udp-range:", "more than 2000 ports"},
		"--udp-range 65000-65600":          {"--udp-range:", "ports, which go to 65535"},
		"--udp-range 65000-99999999999999": {"--udp-range:", "ports, which go to 65535"},
		"--udp-range 20000-":               {"--udp-range:", "is not a range"},
		"--udp-range 20000-0":              {"--udp-range:", "ports, which go to 65535"},
		"--udp-range a-b":                  {"--udp-range:", "is not a range"},
		"--udp-range 20000-20200/udp":      {"--udp-range:", "is not a range"},
		"--udp-range 20000–20200":          {"--udp-range:", "write 20000-20200"},
		"--udp-range 20000:20200":          {"--udp-range:", "write 20000-20200"},
		"--relay-range 30000":              {"--relay-range:", "is one port, not a range", "like 20201-20300"},
		"--relay-range 1000-1100":          {"--relay-range:", "below 1024", "like 20201-20300"},
		// Wrong single ports.
		"--jwt-port 08080":          {"--jwt-port:", `"08080" begins with a zero; write 8080`},
		"--jwt-port 127.0.0.1:8080": {"--jwt-port:", "has an address in front", "write only 8080"},
		"--jwt-port :8080":          {"--jwt-port:", "has an address in front", "write only 8080"},
		"--jwt-port 70000":          {"--jwt-port:", "from 1 to 65535"},
		"--jwt-port 0":              {"--jwt-port:", "from 1 to 65535"},
		"--jwt-port -1":             {"--jwt-port:", "not a port", "like 8080"},
		"--jwt-port 8080/tcp":       {"--jwt-port:", "not a port", "like 8080"},
		"--jwt-port http":           {"--jwt-port:", "not a port", "like 8080"},
	} {
		t.Run(flags, func(t *testing.T) {
			l := newLab(t)
			l.run(exitUsage, strings.Fields(flags)...)
			l.says(l.err, says...)
		})
	}
}

// TestPortsOverlap checks that setup refuses a port that two parts of the
// deployment would use.
func TestPortsOverlap(t *testing.T) {
	const turnTLS = "--turn-tls turn.example.org "
	for flags, says := range map[string][]string{
		"--turn --udp-range 3400-3500":             {"--udp-range: 3400-3500 contains port 3478, which is already the port of TURN;", "another range"},
		"--turn --relay-range 3400-3500":           {"--relay-range: 3400-3500 contains port 3478, which is already the port of TURN;", "another range"},
		"--turn --relay-range 20100-20150":         {"--relay-range: 20100-20150 overlaps --udp-range 20000-20200, which are the ports of media;"},
		"--turn --udp-range 20250-20450":           {"--relay-range: 20201-20300 overlaps --udp-range 20250-20450"},
		turnTLS + "--relay-range 20200-20250":      {"--relay-range: 20200-20250 overlaps --udp-range 20000-20200"},
		turnTLS + "--jwt-port 5349":                {"--jwt-port: 5349 is already the port of TURN over TLS; write another port"},
		"--jwt-port 7880":                          {"--jwt-port: 7880 is already the port of LiveKit;"},
		"--jwt-port 7881":                          {"--jwt-port: 7881 is already the port of LiveKit's media over TCP;"},
		"--jwt-port 443":                           {"--jwt-port: 443 is already the port of the reverse proxy;"},
		"--jwt-port 80":                            {"--jwt-port: 80 is already the port of the reverse proxy and Let's Encrypt;"},
		hostPort("8008") + " --jwt-port 8008":      {"--jwt-port: 8008 is already the port of the homeserver, as --homeserver-url says;"},
		hostPort("7880"):                           {"--homeserver-url: 7880 is already the port of LiveKit;"},
		hostPort("8080"):                           {"--jwt-port: 8080 is already the port of the homeserver"},
		hostPort("5349") + " " + turnTLS:           {"--homeserver-url: 5349 is already the port of TURN over TLS;"},
		hostPort("8080") + "/path --jwt-port 8080": {"--jwt-port: 8080 is already the port of the homeserver"},
	} {
		t.Run(flags, func(t *testing.T) {
			l := newLab(t)
			l.run(exitUsage, strings.Fields(flags)...)
			l.says(l.err, says...)
			if n := strings.Count(strings.TrimSpace(l.err), "\n"); n > 1 && !strings.Contains(flags, "turn-tls") {
				t.Errorf("setup %s: got\n%s\nwant one fault for one overlap", flags, l.err)
			}
		})
	}
}

// hostPort returns flags that name a homeserver at a port of this machine.
func hostPort(port string) string { return "--homeserver-url http://host.docker.internal:" + port }

// TestPortsBeside checks that equal port numbers do not always collide. They do
// not collide if the protocols or the machines differ, or if a program is
// switched off.
func TestPortsBeside(t *testing.T) {
	for _, flags := range []string{
		"--udp-range 7800-7900", // 7880 and 7881 are TCP ports
		"--udp-range 8000-8100", // 8080 is a TCP port
		"--udp-range 3400-3500", // 3478 is free without TURN
		"--udp-range 20250-20450",
		"--jwt-port 3478 --turn",
		"--jwt-port 5349 --turn",
		"--udp-range 5300-5400 --turn-tls turn.example.org",
		"--jwt-port 8008 --homeserver-url http://192.168.1.20:8008",
		hostPort("443"),
	} {
		t.Run(flags, func(t *testing.T) { newLab(t).run(exitOK, strings.Fields(flags)...) })
	}
}

// TestRelayRange checks that TURN's relay has its own range of ports, which is
// the same in livekit.yaml, compose.yaml and ports.md. Without TURN there is no
// such range.
func TestRelayRange(t *testing.T) {
	for _, c := range []struct {
		flags       string
		first, last string // the first and the last port; "" without a relay
	}{
		{"", "", ""},
		{"--turn", "20201", "20300"},
		{"--turn-tls turn.example.org", "20201", "20300"},
		{"--turn --relay-range 21000-21030", "21000", "21030"},
		{"--turn --turn-tls turn.example.org --relay-range 61000-61100", "61000", "61100"},
	} {
		t.Run(c.flags, func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK, strings.Fields(c.flags)...)
			livekit := parseYAML[struct{ TURN map[string]any }](l, "livekit.yaml").TURN
			compose := parseYAML[struct {
				Services map[string]struct{ Ports []string }
			}](l, "compose.yaml")
			published := c.first + "-" + c.last + ":" + c.first + "-" + c.last + "/udp"
			row := "| " + c.first + "–" + c.last + " | UDP | TURN's relay"
			if c.first == "" {
				if livekit["relay_range_start"] != nil || strings.Contains(l.read("ports.md"), "relay") || len(compose.Services["livekit"].Ports) != 3 {
					t.Errorf("got livekit.yaml %v and the ports %v, want no relay", livekit, compose.Services["livekit"].Ports)
				}
				return
			}
			if got := [2]any{livekit["relay_range_start"], livekit["relay_range_end"]}; got != [2]any{number(c.first), number(c.last)} {
				t.Errorf("livekit.yaml: got %v, want %s-%s", got, c.first, c.last)
			}
			if !slices.Contains(compose.Services["livekit"].Ports, published) {
				t.Errorf("compose.yaml publishes %q, want %q among them", compose.Services["livekit"].Ports, published)
			}
			if !strings.Contains(l.read("ports.md"), row) {
				t.Errorf("ports.md: got\n%s\nwant %q in it", l.read("ports.md"), row)
			}
		})
	}
}

// TestRelayNotes checks the notes about values that are possible, but seldom
// meant.
func TestRelayNotes(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--relay-range", "21000-21100")
	l.says(l.err, "note:", "--relay-range is for --turn and --turn-tls")
	l.run(exitOK, "--turn", "--relay-range", "40000-40100")
	l.says(l.err, "note:", "--relay-range 40000-40100", "32768-60999")
}
