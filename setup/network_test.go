package setup

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// networks returns the networks of each service in the written compose.yaml,
// and the names of the external networks, which Docker must already have.
func (l *lab) networks() (of map[string][]string, external []string) {
	l.t.Helper()
	var file struct {
		Services map[string]struct{ Networks []string }
		Networks map[string]struct {
			Name     string
			External bool
		}
	}
	if err := yaml.Unmarshal([]byte(l.read("compose.yaml")), &file); err != nil {
		l.t.Fatal(err)
	}
	of = map[string][]string{}
	for name, service := range file.Services {
		of[name] = service.Networks
	}
	for _, n := range file.Networks {
		if n.External {
			external = append(external, n.Name)
		}
	}
	return of, external
}

// TestHomeserverNetwork checks that the service joins the homeserver's network,
// and LiveKit does not. A later run remembers the network until
// --homeserver-network none.
func TestHomeserverNetwork(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--homeserver-url", "http://synapse:8008", "--homeserver-network", "matrix_default")
	for _, again := range []string{"--yes", "--turn"} {
		of, external := l.networks()
		if !slices.Equal(of["matrixrtc-auth"], []string{"default", "homeserver"}) || of["livekit"] != nil || !slices.Equal(external, []string{"matrix_default"}) {
			t.Errorf("before %s: got the networks %v, of which %q are external, want homeserver for the service alone, and matrix_default", again, of, external)
		}
		l.only(exitOK, again)
	}
	l.only(exitOK, "--homeserver-network", "none")
	if of, external := l.networks(); of["matrixrtc-auth"] != nil || external != nil {
		t.Errorf("switched off: got the networks %v and %q, want none", of, external)
	}
	if strings.Contains(l.read("answers.yaml"), "network") {
		t.Error("answers.yaml names the network, which was switched off, want no line about it")
	}
}

// TestPortsInASharedNetwork checks that ports.md names no port for requests to
// the homeserver if the service and the homeserver share a Docker network.
func TestPortsInASharedNetwork(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--homeserver-url", "http://synapse:8008", "--homeserver-network", "matrix_default")
	l.says(l.read("ports.md"), "http://synapse:8008, in Docker's network matrix_default. This needs no forwarded port")
	if text := l.read("ports.md"); strings.Contains(text, "172.16.0.0/12") {
		t.Errorf("ports.md: got the text below, want no firewall in it:\n%s", text)
	}
	l.only(exitOK, "--homeserver-network", "none")
	l.says(l.read("ports.md"), "If that address is a port of this machine", "172.16.0.0/12")
}
