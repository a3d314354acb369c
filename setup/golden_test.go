package setup

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"matrixrtc-auth/internal/goldentest"
)

// typical returns command lines of setup. testdata has all files that setup
// must write for each of them. A stand-in for the go command makes the images,
// because compiling takes minutes. TestImageArch compiles a real image.
func typical(t *testing.T) map[string][]string {
	standInGo(t, "an image")
	cert, key := writeCertificate(t, "turn.example.org", time.Now().Add(time.Hour))
	return map[string][]string{
		"two-names": names,
		"single-host": {
			"--server-name", "example.org", "--single-host", "Matrix.example.org", "--turn",
			"--homeserver-url", "http://host.docker.internal:8008/", "--image", "registry.example.org/matrixrtc-auth:1.2.3",
		},
		"turn-tls": append([]string{
			"--turn", "--turn-tls", "turn.example.org", "--turn-cert", cert, "--turn-key", key,
			"--udp-range", "61000-61200", "--jwt-port", "8090", "--base-url", "https://matrix.example.org",
		}, names...),
		"appservice": append([]string{"--appservice"}, names...),
		"appservice-single-host": {
			"--server-name", "example.org", "--single-host", "matrix.example.org", "--base-url", "https://matrix.example.org",
			"--homeserver-url", "http://synapse:8008", "--appservice", "--appservice-url", "http://matrixrtc-auth:8080/",
		},
		"image-arch-appservice": append([]string{"--image-arch", "x86_64", "--appservice"}, names...),
		"image-arch":            append([]string{"--image-arch", "arm64"}, names...),
		"sni-split":             append([]string{"--turn-tls", "turn.example.org"}, names...),
	}
}

func TestGoldenFiles(t *testing.T) {
	for name, args := range typical(t) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.exec(exitOK, append([]string{"--dir", l.dir}, args...)...)
			holdFile(t, filepath.Join("testdata", name+".txtar"), l.archive())
		})
	}
}

// holdFile compares the archive with the golden file, and shows the lines that
// differ.
func holdFile(t *testing.T, path string, a *txtar.Archive) {
	t.Helper()
	got := txtar.Format(a)
	if want := goldentest.Want(t, path, got); !bytes.Equal(got, want) {
		lines := difference(strings.Split(string(want), "\n"), strings.Split(string(got), "\n"))
		t.Errorf("%s: got another text, want the golden file's (go test ./setup -update writes it anew):\n%s", path, strings.Join(lines, "\n"))
	}
}

var (
	drawn   = regexp.MustCompile(`LIVEKIT_SECRET=[0-9a-f]{64}\n`)
	tokens  = regexp.MustCompile(`\b([ah]s_token): [0-9a-f]{64}\n`)
	pemPath = regexp.MustCompile(`(turn-(?:cert|key)): /\S+/`)
	version = regexp.MustCompile(`(matrixrtc-auth[:-])\d+\.\d+\.\d+\b`)
)

// archive returns the files of the folder and the output of setup. It masks the
// texts that differ from run to run.
func (l *lab) archive() *txtar.Archive {
	mask := func(text string) []byte {
		text = drawn.ReplaceAllString(text, "LIVEKIT_SECRET=(drawn)\n")
		text = tokens.ReplaceAllString(text, "$1: (drawn)\n")
		text = strings.ReplaceAll(text, l.dir, "DIR")
		text = pemPath.ReplaceAllString(text, "$1: /PATH/")
		return []byte(version.ReplaceAllString(text, "${1}VERSION"))
	}
	a := &txtar.Archive{Files: []txtar.File{{Name: "stdout", Data: mask(l.out)}, {Name: "stderr", Data: mask(l.err)}}}
	for _, name := range l.list() {
		content := l.read(name)
		if name == sumsFile || strings.HasSuffix(name, ".pem") {
			content = "(new each time)\n"
		}
		a.Files = append(a.Files, txtar.File{Name: name, Data: mask(content)})
	}
	return a
}

// writeCertificate writes a certificate for the name, and its key, and returns
// their paths.
func writeCertificate(t *testing.T, name string, end time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: end.Add(-24 * time.Hour), NotAfter: end,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(file, kind string, content []byte) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private)
}
