// The tests in this file run nginx and Caddy with the files that setup writes for them.
// They need no other part of the stack.
package browser_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/setup"
)

// layout holds the options of setup for a deployment, and the addresses at which its
// proxy must reach the service and LiveKit.
type layout struct {
	name     string
	flags    []string
	hosts    []string
	jwt, sfu string // the host name and path prefix of the service, and of LiveKit
	snippet  bool   // true if the files contain only lines for an existing server block
}

var layouts = []layout{
	{
		name:  "two names",
		flags: []string{"--jwt-host", "jwt.example.org", "--sfu-host", "sfu.example.org"},
		hosts: []string{"jwt.example.org", "sfu.example.org"},
		jwt:   "jwt.example.org", sfu: "sfu.example.org",
	},
	{
		name:  "one name, in its block",
		flags: []string{"--single-host", "matrix.example.org"},
		hosts: []string{"matrix.example.org"},
		jwt:   "matrix.example.org/livekit/jwt", sfu: "matrix.example.org/livekit/sfu",
		snippet: true,
	},
	{
		name:  "one name, a whole block",
		flags: []string{"--single-host", "matrix.example.org", "--server-block"},
		hosts: []string{"matrix.example.org"},
		jwt:   "matrix.example.org/livekit/jwt", sfu: "matrix.example.org/livekit/sfu",
	},
}

// proxy is nginx or Caddy in front of two backends, which stand for the service and
// LiveKit. Each backend answers with its name and the request that it got.
type proxy struct {
	t       *testing.T
	host    *stack.Host
	layout  layout
	dir     string // the directory with the files that setup wrote
	work    string
	address string
	backend []string // pairs: an address in the files, and the backend's address that replaces it
}

func newProxy(t *testing.T, l layout) *proxy {
	t.Helper()
	p := &proxy{t: t, layout: l, dir: t.TempDir(), work: t.TempDir()}
	p.host = stack.NewHost(p.work)
	t.Cleanup(p.host.Close)
	p.address = p.freeAddress()
	args := append([]string{"--server-name", "example.org", "--dir", p.dir}, l.flags...)
	var out bytes.Buffer
	if code := commandtest.Run(t.Context(), setup.Command(os.DirFS("../..")), args, nil, &out, &out); code != 0 {
		t.Fatalf("setup %q: got exit code %d, want 0\n%s", args, code, out.String())
	}
	p.backend = []string{"127.0.0.1:8080", p.startBackend("jwt"), "127.0.0.1:7880", p.startBackend("sfu")}
	return p
}

// startBackend starts a backend, which answers with its name and the request that it
// got.
func (p *proxy) startBackend(name string) (address string) {
	p.t.Helper()
	address = p.freeAddress()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		p.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s host=%s for=%s real=%s upgrade=%s connection=%s", name, r.Method, r.RequestURI, r.Host,
			strings.Join(r.Header.Values("X-Forwarded-For"), "; "), strings.Join(r.Header.Values("X-Real-IP"), "; "), r.Header.Get("Upgrade"), strings.ToLower(r.Header.Get("Connection")))
	}))
	server.Listener.Close() // the server already listens at a port that the system chose
	server.Listener = listener
	server.Start()
	p.t.Cleanup(server.Close)
	return address
}

// freeAddress returns a loopback address that no other program uses.
func (p *proxy) freeAddress() string {
	p.t.Helper()
	address, err := p.host.Address()
	if err != nil {
		p.t.Fatal(err)
	}
	return address
}

// file returns the text of a file that setup wrote, with old texts replaced by new
// ones. Each old text must be in the file.
func (p *proxy) file(name string, oldNew ...string) string {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if !bytes.Contains(content, []byte(oldNew[i])) {
			p.t.Fatalf("%s lacks %q", name, oldNew[i])
		}
	}
	return strings.NewReplacer(oldNew...).Replace(string(content))
}

// write writes a file into the proxy's working directory.
func (p *proxy) write(name string, content []byte) (path string) {
	p.t.Helper()
	path = filepath.Join(p.work, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// certificate writes a certificate for the host names of the layout, and the private
// key.
func (p *proxy) certificate() (cert, key string) {
	p.t.Helper()
	pair := matrixtest.NewCA().Certificate(p.layout.hosts...)
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		p.t.Fatal(err)
	}
	cert = p.write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	key = p.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return cert, key
}

// program returns the path of a program. It also searches the directories for programs
// that only root uses.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, place := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	t.Fatalf("got no program %s, want it installed", name)
	return ""
}

// run runs a program until it ends. The test fails if the exit code is not 0.
func (p *proxy) run(name string, args ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), proxyTime)
	defer cancel()
	if out, err := exec.CommandContext(ctx, program(p.t, name), args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// proxyTime is the time limit for a proxy to start, to check a file, or to answer a
// request.
const proxyTime = 30 * time.Second

// start starts the proxy, and returns when the proxy listens. The proxy runs until the
// test ends.
func (p *proxy) start(name string, args ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), proxyTime)
	defer cancel()
	var log bytes.Buffer
	cmd := exec.Command(program(p.t, name), args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = stack.Dependent()
	cmd.Env = []string{"HOME=" + p.work} // Caddy keeps its state in the directory HOME
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !listens(p.address) {
		select {
		case <-exited:
			p.t.Fatalf("%s ended\n%s", name, log.String())
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			<-exited
			p.t.Fatalf("%s does not listen\n%s", name, log.String())
		case <-ticker.C:
		}
	}
}

func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// client returns an HTTP client that connects to the proxy for every host name.
func (p *proxy) client() *http.Client {
	return &http.Client{Timeout: proxyTime, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.address)
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
}
