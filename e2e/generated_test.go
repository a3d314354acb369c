package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/setup"
)

// writeDeployment has setup write a deployment for the server name.
func writeDeployment(t *testing.T, server string, flags ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := append([]string{"--server-name", server, "--dir", dir}, flags...)
	var out bytes.Buffer
	if code := setup.Run(t.Context(), args, setup.Streams{Out: &out, Err: &out}, os.DirFS("..")); code != 0 {
		t.Fatalf("setup ends with %d\n%s", code, out.String())
	}
	return dir
}

// twoNames and oneName are the two ways to reach both programs.
var (
	twoNames = []string{"--jwt-host", "jwt.example.org", "--sfu-host", "sfu.example.org"}
	oneName  = []string{"--single-host", "matrix.example.org"}
)

// loadGenerated loads a written compose.yaml as Compose does in its folder.
func loadGenerated(t *testing.T, dir string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join(dir, "compose.yaml")},
		cli.WithName("test"), cli.WithWorkingDirectory(dir), cli.WithEnvFiles(), cli.WithDotEnv,
	)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// keyOf returns the key that Compose gives to the service, and the text that it
// gives to the SFU.
func keyOf(t *testing.T, p *types.Project) (key stack.Key, keys string) {
	t.Helper()
	service, sfu := p.Services["matrixrtc-auth"].Environment, p.Services["livekit"].Environment
	for _, value := range []*string{service["LIVEKIT_KEY"], service["LIVEKIT_SECRET"], sfu["LIVEKIT_KEYS"]} {
		if value == nil {
			t.Fatal("Compose passes no key")
		}
	}
	return stack.Key{ID: *service["LIVEKIT_KEY"], Secret: *service["LIVEKIT_SECRET"]}, *sfu["LIVEKIT_KEYS"]
}

// Compose accepts what setup writes, without a variable of anybody else's. The
// SFU reads the key that the service has.
func TestGeneratedCompose(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"two names, relay": append(slices.Clone(twoNames), "--turn", "--udp-range", "61000-61100", "--jwt-port", "8090"),
		"one name, image":  append(slices.Clone(oneName), "--image", "registry.example.org/matrixrtc-auth:1.2.3"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := loadGenerated(t, writeDeployment(t, "example.org", flags...))
			key, keys := keyOf(t, project)
			token, err := auth.ParseAPIToken(signedBySFU(t, keys))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := token.Verify(key.Secret); err != nil || token.APIKey() != key.ID {
				t.Errorf("LiveKit signs as %q, the service as %q: %v", token.APIKey(), key.ID, err)
			}
			for service, s := range project.Services {
				for _, v := range s.Volumes {
					if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
						t.Errorf("%s mounts what is not there: %v", service, err)
					}
				}
			}
		})
	}
}

// The SFU starts with a livekit.yaml that setup wrote, byte for byte.
func TestGeneratedLiveKitConfiguration(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"no relay": oneName,
		"relay":    append(slices.Clone(twoNames), "--turn"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := writeDeployment(t, "example.org", flags...)
			key, _ := keyOf(t, loadGenerated(t, dir))
			sfu := &stack.SFU{
				Host: newHost(t), Program: programs.SFU,
				Config: filepath.Join(dir, "livekit.yaml"), Keys: []stack.Key{key}, Unchanged: true,
			}
			startPart(t, "SFU", sfu)
			guest := mint(t, key, "guest", &auth.VideoGrant{RoomJoin: true, Room: "missing"})
			if got := validate(t, sfu, guest); got.status != http.StatusNotFound {
				t.Errorf("joining a missing room: %v, want 404", got)
			}
		})
	}
}

// The SFU ends TLS for TURN with the certificate that setup copied; only the
// path in the container and the port are replaced.
func TestGeneratedTURNOverTLS(t *testing.T) {
	t.Parallel()
	const name = "turn.example.org"
	cert, private := certificateFor(t, name)
	dir := writeDeployment(t, "example.org", append(slices.Clone(twoNames), "--turn-tls", name, "--turn-cert", cert, "--turn-key", private)...)
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
	config := replaceIn(t, filepath.Join(dir, "livekit.yaml"), "/etc/turn-", dir+"/turn-", "tls_port: 5349", "tls_port: "+port)
	startPart(t, "SFU", &stack.SFU{Host: host, Program: programs.SFU, Config: config, Keys: []stack.Key{key}, Unchanged: true})

	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: name}}
	conn, err := dialer.DialContext(within(t, 10*time.Second), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].VerifyHostname(name); err != nil {
		t.Error(err)
	}
}

// replaceIn writes a copy of a file in which each old text, there once or more,
// is the new one.
func replaceIn(t *testing.T, path string, oldNew ...string) (replaced string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(text, oldNew[i]) {
			t.Fatalf("%s lacks %q", path, oldNew[i])
		}
		text = strings.ReplaceAll(text, oldNew[i], oldNew[i+1])
	}
	replaced = filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(replaced, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return replaced
}

// certificateFor writes a certificate for the name and its key.
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

// A stack of nothing but written files carries a call: the SFU has livekit.yaml
// moved to loopback, the service the environment of its container. Replaced are
// addresses, and what a fake homeserver without a public address needs.
func TestGeneratedDeploymentCarriesACall(t *testing.T) {
	t.Parallel()
	s := &scene{t: t, host: newHost(t)}
	ca := matrixtest.NewCA()
	s.home, s.remote = s.homeserver(ca), s.homeserver(ca)
	dir := writeDeployment(t, s.home.Name().String(), append(slices.Clone(twoNames), "--turn")...)
	project := loadGenerated(t, dir)
	key, _ := keyOf(t, project)

	service := &stack.Service{Host: s.host}
	if _, err := service.Address(); err != nil {
		t.Fatal(err)
	}
	s.sfu = &stack.SFU{
		Host: s.host, Program: programs.SFU, Config: filepath.Join(dir, "livekit.yaml"),
		Keys: []stack.Key{key}, Webhook: service.URL() + "/sfu_webhook",
	}
	startPart(t, "SFU", s.sfu)
	env := map[string]string{}
	for name, value := range project.Services["matrixrtc-auth"].Environment {
		env[name] = *value
	}
	env["LIVEKIT_URL"], env["LIVEKIT_INTERNAL_URL"] = s.sfu.URL(), s.sfu.APIURL()
	s.service = s.start(service, "service", key, env)

	alice := s.join(s.user(s.home, "alice").legacy("/sfu/get", room))
	bob := s.join(s.user(s.home, "bob").getToken(room, "member"))
	for _, p := range []*participant.Participant{alice, bob} {
		publishes(t, p, alice, bob)
	}
}
