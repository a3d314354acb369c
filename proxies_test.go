package main_test

import (
	"slices"
	"strings"
	"testing"
)

// TestNginxPrefixes checks the parts of the nginx snippet in docs/proxies.md in
// which people make mistakes:
//
//   - the slash that removes the prefix
//   - the headers Upgrade and Connection, without which calls hang at
//     "connecting"
//   - the headers with the client's address, which must contain nothing that
//     the client has sent
func TestNginxPrefixes(t *testing.T) {
	snippet := strings.Join(blocks(read(t, "docs/proxies.md"), "nginx"), "\n")
	for location, wanted := range map[string][]string{
		"/livekit/jwt/": {"proxy_pass http://127.0.0.1:8080/;", "X-Real-IP $remote_addr;", "X-Forwarded-For $remote_addr;"},
		"/livekit/sfu/": {"proxy_pass http://127.0.0.1:7880/;", "Upgrade $http_upgrade;", "Connection $connection_upgrade;"},
	} {
		t.Run(location, func(t *testing.T) {
			_, after, found := strings.Cut(snippet, "location "+location+" {")
			inside, _, _ := strings.Cut(after, "}")
			if !found {
				t.Errorf("the snippet: got no location %s, want it", location)
			}
			for _, line := range wanted {
				if !strings.Contains(inside, line) {
					t.Errorf("location %s lacks %s: got %s, want %q in it", location, line, inside, line)
				}
			}
		})
	}
}

// TestHAProxyLines checks the HAProxy lines in docs/proxies.md. `make
// breakages` runs HAProxy with a configuration file, which must contain all
// these lines.
func TestHAProxyLines(t *testing.T) {
	tried := strings.Split(read(t, "e2e/breakages/testdata/haproxy.cfg"), "\n")
	lines := strings.Split(strings.Join(blocks(read(t, "docs/proxies.md"), "haproxy"), ""), "\n")
	if len(lines) < 10 {
		t.Errorf("docs/proxies.md, for HAProxy: got %d lines, want 10 at least", len(lines))
	}
	for _, line := range lines {
		if !slices.Contains(tried, line) {
			t.Errorf("docs/proxies.md, for HAProxy: got %q, want lines that make breakages tries", line)
		}
	}
}
