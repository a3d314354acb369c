package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestGeneratedTURNOverTLS checks that the SFU offers TURN over TLS with the
// certificate that setup copied. In the files that setup wrote, the test replaces only
// the certificate's path and the port.
func TestGeneratedTURNOverTLS(t *testing.T) {
	t.Parallel()
	const name = "turn.example.org"
	cert, private := certificateFor(t, name)
	address := startGeneratedTURN(t, "--turn-tls", name, "--turn-cert", cert, "--turn-key", private)
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: name}}
	conn, err := dialer.DialContext(within(t, 10*time.Second), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].VerifyHostname(name); err != nil {
		t.Errorf("VerifyHostname: got %v, want no error", err)
	}
}

// TestGeneratedTURNBehindTLS checks a deployment in which a proxy in front of the SFU
// ends TLS. The SFU must then answer STUN without TLS at the port for TURN over TLS.
func TestGeneratedTURNBehindTLS(t *testing.T) {
	t.Parallel()
	address := startGeneratedTURN(t, "--turn-tls", "turn.example.org")
	var dialer net.Dialer
	conn, err := dialer.DialContext(within(t, 10*time.Second), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	request := slices.Concat([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)) // a STUN binding request (RFC 8489)
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 20)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 1 || answer[1] != 1 {
		t.Errorf("answered %x, %v; want the success of a binding", answer, err)
	}
}

// startGeneratedTURN starts the SFU with the files that setup writes for the flags. It
// returns the SFU's address for TURN over TLS.
func startGeneratedTURN(t *testing.T, flags ...string) (address string) {
	t.Helper()
	dir := writeDeployment(t, "example.org", append(slices.Clone(twoNames), flags...)...)
	key, _ := keyOf(t, loadGenerated(t, dir))
	host := newHost(t)
	address, err := host.Address()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	replace := []string{"tls_port: 5349", "tls_port: " + port}
	if slices.Contains(flags, "--turn-cert") {
		replace = append(replace, "/etc/turn-", dir+"/turn-")
	}
	config := replaceIn(t, filepath.Join(dir, "livekit.yaml"), replace...)
	startPart(t, "SFU", &stack.SFU{Host: host, Program: programs.SFU, Config: config, Keys: []stack.Key{key}, Unchanged: true})
	return address
}

// replaceIn writes a copy of a file with old texts replaced by new ones. Each old text
// must be in the file.
func replaceIn(t *testing.T, path string, oldNew ...string) (replaced string) {
	t.Helper()
	text := string(readFile(t, path))
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("%s: got\n%s\nwant %q in it", path, text, oldNew[i])
		}
		text = strings.ReplaceAll(text, oldNew[i], oldNew[i+1])
	}
	replaced = filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(replaced, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return replaced
}

// certificateFor writes a certificate for the host name, and the private key.
func certificateFor(t *testing.T, name string) (certFile, keyFile string) {
	t.Helper()
	pair := matrixtest.NewCA().Certificate(name)
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, content := range map[string][]byte{certFile: cert, keyFile: private} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
