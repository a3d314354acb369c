package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

// TestMissingFlags checks that setup names all missing flags in one message if
// there is nobody to ask.
func TestMissingFlags(t *testing.T) {
	l := newLab(t)
	l.exec(exitUsage)
	for _, flag := range []string{"--server-name", "--jwt-host", "--sfu-host", "--dir"} {
		l.says(l.err, flag+" is missing")
	}
	l.exec(exitUsage, "--server-name", "example.org", "--single-host", "example.org")
	l.says(l.err, "--dir is missing")
	if strings.Contains(l.err, "host is missing") {
		t.Errorf("setup --server-name --single-host: got\n%s\nwant no missing host named", l.err)
	}
}

// TestNotes checks the notes about values that are possible, but seldom meant.
func TestNotes(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--server-name", "Example.org:8448")
	l.says(l.err, "note:", "capital letters")
	l.says(l.err, "note:", "port")
	l.says(l.err, "note:", "https://example.org;")
	if strings.Contains(l.err, "--udp-range") {
		t.Errorf("setup with the usual range of ports: got\n%s\nwant no note of --udp-range", l.err)
	}
	if got := l.env()["LIVEKIT_FULL_ACCESS_HOMESERVERS"]; got != "Example.org:8448" {
		t.Errorf("LIVEKIT_FULL_ACCESS_HOMESERVERS: got %s, want Example.org:8448", got)
	}
	for _, media := range []string{"50000-50200", "32000-32768", "60999-61100"} {
		l.run(exitOK, "--udp-range", media)
		l.says(l.err, "note:", "--udp-range "+media, "32768-60999")
	}
}

// TestCertificates checks that setup copies only a certificate and key that
// LiveKit can use.
func TestCertificates(t *testing.T) {
	cert, key := writeCertificate(t, "turn.example.org", tomorrow())
	otherCert, _ := writeCertificate(t, "turn.example.org", tomorrow())
	oldCert, oldKey := writeCertificate(t, "turn.example.org", time.Now().Add(-time.Hour))
	for _, c := range []struct{ name, cert, key, says string }{
		{"turn.example.org", otherCert, key, ": this file and --turn-key are not a certificate"},
		{"relay.example.org", cert, key, " is a certificate for another name"},
		{"turn.example.org", oldCert, oldKey, " is a certificate that expired"},
	} {
		t.Run(c.says, func(t *testing.T) {
			l := newLab(t)
			l.run(exitUsage, "--turn-tls", c.name, "--turn-cert", c.cert, "--turn-key", c.key)
			l.says(l.err, "--turn-cert"+c.says)
		})
	}
}

// TestSource checks that compose.yaml has a relative path to the source, and
// that setup says that the source must be beside the folder.
func TestSource(t *testing.T) {
	l := newLab(t)
	source := filepath.Join(filepath.Dir(l.dir), "source")
	if err := os.MkdirAll(source, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(exitOK, "--source", source)
	if !strings.Contains(l.read("compose.yaml"), "\n    build: ../source\n") {
		t.Errorf("compose.yaml: got\n%s\nwant build: ../source", l.read("compose.yaml"))
	}
	l.says(l.err, "note:", "../source")
	if strings.Contains(l.out, "go run -C image") {
		t.Errorf("the steps tell to bring an image that is built on the machine: got %s, want no go run -C image in it", l.out)
	}
}

// TestDefective checks that change returns an error if the place of an edit is
// missing in the template, or occurs twice.
func TestDefective(t *testing.T) {
	for _, e := range []edit{{from: "gone"}, {from: "twice"}, {from: "once", until: "gone"}} {
		t.Run(fmt.Sprintf("%+v", e), func(t *testing.T) {
			if _, err := change("file", "once twice twice", e); err == nil || !strings.Contains(err.Error(), "file: ") {
				t.Errorf("change(%+v): got error %v, want one that begins with the file's name", e, err)
			}
		})
	}
	got, err := change("file", "a from b until c", edit{"from", "until", "with "}, edit{from: "a ", with: "d "})
	if got != "d with until c" || err != nil {
		t.Errorf("change of two places: got %q, %v, want %q", got, err, "d with until c")
	}
}

func TestHelp(t *testing.T) {
	l := newLab(t)
	l.exec(exitOK, "--help")
	for _, flag := range []string{
		"server-name", "jwt-host", "sfu-host", "single-host", "base-url", "homeserver-url", "homeserver-network", "dir", "server-block", "turn", "turn-tls",
		"turn-cert", "turn-key", "udp-range", "relay-range", "jwt-port", "image-arch", "image", "source", "force", "new-secrets",
	} {
		l.says(l.out, "  --"+flag+" ")
	}
}

func TestDifference(t *testing.T) {
	got := difference(strings.Fields("a b c d"), strings.Fields("a x c d e"))
	if want := []string{"- b", "+ x", "+ e"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWellKnownOfServerName checks where setup says that clients look for the
// well-known file: at the host of the server name, without its port. An IPv6
// address keeps its brackets.
func TestWellKnownOfServerName(t *testing.T) {
	for name, want := range map[string]string{
		"example.org":         "https://example.org/.well-known/matrix/client.",
		"example.org:8448":    "https://example.org/.well-known/matrix/client.",
		"192.0.2.1:8448":      "https://192.0.2.1/.well-known/matrix/client.",
		"[2001:db8::1]":       "https://[2001:db8::1]/.well-known/matrix/client.",
		"[2001:db8::1]:28448": "https://[2001:db8::1]/.well-known/matrix/client.",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.exec(exitOK, "--server-name", name, "--jwt-host", "jwt.example.org", "--sfu-host", "sfu.example.org", "--dir", l.dir)
			l.says(l.out, "Serve well-known-client.json at "+want)
		})
	}
}
