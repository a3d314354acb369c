package doctor

import (
	"net"
	"strings"
	"testing"

	"matrixrtc-auth/matrix"
)

// TestAllFoci checks that doctor judges each livekit_service_url, and not only
// the first one.
func TestAllFoci(t *testing.T) {
	for second, want := range map[string]string{
		"https://two.matrix.test":  "",
		"wss://two.matrix.test":    "foci-wss",
		"https://two.matrix.test/": "foci-slash",
		"https://jwt.domain.tld":   "foci-example",
	} {
		t.Run(second, func(t *testing.T) {
			h := &homeserver{exam: &exam{}, document: &clientWellKnown{Foci: []focus{
				{Type: "livekit", Service: "https://jwt.matrix.test"}, {Type: "other"}, {Type: "livekit", Service: second},
			}}}
			f := h.foci(t.Context())
			if got := nameOf(f); got != want {
				t.Errorf("%s: %q, want %q: %s", second, got, want, f.Seen)
			}
		})
	}
}

// TestDocumentURL checks that doctor looks for the well-known document at the
// server name's host, whatever port the server name has.
func TestDocumentURL(t *testing.T) {
	for text, want := range map[string]string{
		"example.org":         "https://example.org example.org:443",
		"example.org:8448":    "https://example.org example.org:443",
		"192.0.2.1:8448":      "https://192.0.2.1 192.0.2.1:443",
		"[2001:db8::1]":       "https://[2001:db8::1] [2001:db8::1]:443",
		"[2001:db8::1]:28448": "https://[2001:db8::1] [2001:db8::1]:443",
	} {
		t.Run(text, func(t *testing.T) {
			name, err := matrix.ParseServerName(text)
			if err != nil {
				t.Fatal(err)
			}
			h := &homeserver{name: name}
			p := h.apexPlace()
			got := strings.TrimSuffix(h.documentURL(), "/.well-known/matrix/client") + " " + net.JoinHostPort(p.host, p.port)
			if got != want {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
		})
	}
}

// TestPlaceholders checks that isPlaceholder recognizes only whole domains of
// examples.
func TestPlaceholders(t *testing.T) {
	for host, want := range map[string]bool{
		"jwt.example.com": true, "example.net": true, "JWT.Example.Com.": true, "jwt.domain.tld": true, "jwt.yourdomain.com": true, "rtc.example": true,
		"jwt.myexample.com": false, "example.com.matrix.test": false, "yourdomain.matrix.test": false, "jwt.example-school.test": false,
		"mydomain.test": false, "jwt.counterexample.test": false,
		"jwt.example.org": false, // no placeholder, because the server name is itself below this domain
	} {
		t.Run(host, func(t *testing.T) {
			if got := isPlaceholder(host, "example.org"); got != want {
				t.Errorf("%s: %v, want %v", host, got, want)
			}
		})
	}
}
