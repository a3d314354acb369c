package setup

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// baseURLs returns the base_url of each well-known file, by file name.
func (l *lab) baseURLs() map[string]string {
	l.t.Helper()
	found := map[string]string{}
	for _, name := range l.list() {
		if !strings.HasPrefix(name, "well-known-client") {
			continue
		}
		var file struct {
			Homeserver struct {
				BaseURL string `json:"base_url"`
			} `json:"m.homeserver"`
		}
		if err := json.Unmarshal([]byte(l.read(name)), &file); err != nil {
			l.t.Fatalf("reading %s: got %v, want no error", name, err)
		}
		found[name] = file.Homeserver.BaseURL
	}
	return found
}

// TestSeveralServers checks several server names, which are separated by commas
// or given one by one. Each server gets its own addresses and its own
// well-known file.
func TestSeveralServers(t *testing.T) {
	for name, c := range map[string]struct {
		flags     []string
		overrides string
		baseURLs  map[string]string
	}{
		"given twice": {
			[]string{"--server-name", "a.org", "--server-name", "b.org"}, "",
			map[string]string{"well-known-client.json": "https://a.org", "well-known-client-b.org.json": "https://b.org"},
		},
		"with a comma": {
			[]string{"--server-name", "a.org, b.org", "--base-url", "b.org=https://matrix.b.org"}, "",
			map[string]string{"well-known-client.json": "https://a.org", "well-known-client-b.org.json": "https://matrix.b.org"},
		},
		"reached by other ways": {
			[]string{
				"--server-name", "a.org,b.org", "--base-url", "b.org=https://b.org/,a.org=https://matrix.a.org",
				"--homeserver-url", "a.org=http://host.docker.internal:8008,b.org=http://192.168.1.20:8008",
			},
			"a.org=http://host.docker.internal:8008,b.org=http://192.168.1.20:8008",
			map[string]string{"well-known-client.json": "https://matrix.a.org", "well-known-client-b.org.json": "https://b.org"},
		},
		"one of them": {
			[]string{"--server-name", "a.org,b.org", "--homeserver-url", "b.org=http://synapse:8008"},
			"b.org=http://synapse:8008",
			map[string]string{"well-known-client.json": "https://a.org", "well-known-client-b.org.json": "https://b.org"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK, c.flags...)
			env := l.env()
			if got := env["LIVEKIT_FULL_ACCESS_HOMESERVERS"]; got != "a.org,b.org" {
				t.Errorf("setup %q: LIVEKIT_FULL_ACCESS_HOMESERVERS: got %s, want a.org,b.org", c.flags, got)
			}
			for _, variable := range []string{"LIVEKIT_FEDERATION_URL_OVERRIDES", "LIVEKIT_CS_API_URL_OVERRIDES"} {
				if env[variable] != c.overrides {
					t.Errorf("%s: got %q, want %q", variable, env[variable], c.overrides)
				}
			}
			if got := l.baseURLs(); !maps.Equal(got, c.baseURLs) {
				t.Errorf("the well-known files say %v, want %v", got, c.baseURLs)
			}
			for server, file := range map[string]string{"a.org": "well-known-client.json", "b.org": "well-known-client-b.org.json"} {
				l.says(l.out, file, "https://"+server+"/.well-known/matrix/client")
			}
			l.checkService()
			l.run(exitOK, "--server-name", "a.org,b.org")
			l.says(l.out, "Nothing has changed.")
		})
	}
}

// TestSeveralServersAndNewerClients checks that only the first of several
// homeservers forwards token requests.
func TestSeveralServersAndNewerClients(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--server-name", "a.org,b.org", "--appservice")
	l.says(l.err, "note:", "the homeserver of a.org", "for the others leave")
	compose := parseYAML[deployment](l, "compose.yaml")
	if got := compose.Services["matrixrtc-auth"].Environment["LIVEKIT_HS_SERVER_NAME"]; got != "a.org" {
		t.Errorf("LIVEKIT_HS_SERVER_NAME is %q, want a.org", got)
	}
}

// TestSingleHostOfSeveral checks that the single host is the base_url of the
// first server only.
func TestSingleHostOfSeveral(t *testing.T) {
	l := newLab(t)
	l.exec(exitOK, "--dir", l.dir, "--server-name", "a.org,b.org", "--single-host", "matrix.a.org")
	want := map[string]string{"well-known-client.json": "https://matrix.a.org", "well-known-client-b.org.json": "https://b.org"}
	if got := l.baseURLs(); !maps.Equal(got, want) {
		t.Errorf("the well-known files say %v, want %v", got, want)
	}
	if files := l.list(); !slices.Contains(files, "traefik.yaml.example") {
		t.Errorf("got the files %q, want traefik.yaml.example among them", files)
	}
}

// TestNameOfWellKnownFile checks the name of the well-known file for a server
// name with a port, or with an IP address. Every system must accept the file's
// name.
func TestNameOfWellKnownFile(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--server-name", "a.org,b.org:8448,[2001:db8::1]")
	for _, name := range []string{"well-known-client-b.org_8448.json", "well-known-client-2001_db8__1.json"} {
		if !slices.Contains(l.list(), name) {
			t.Errorf("got the files %q, want %s among them", l.list(), name)
		}
	}
}
