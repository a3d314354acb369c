package e2e

import (
	"bytes"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/setup"
)

// writeDeployment makes setup write a deployment for the server name.
func writeDeployment(t *testing.T, server string, flags ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := append([]string{"--server-name", server, "--dir", dir}, flags...)
	var out bytes.Buffer
	if code := commandtest.Run(t.Context(), setup.Command(os.DirFS("..")), args, nil, &out, &out); code != 0 {
		t.Fatalf("setup %q: got exit code %d, want 0\n%s", args, code, out.String())
	}
	return dir
}

// twoNames are setup's options for a deployment with two host names. oneName are the
// options for one host name with path prefixes.
var (
	twoNames = []string{"--jwt-host", "jwt.example.org", "--sfu-host", "sfu.example.org"}
	oneName  = []string{"--single-host", "matrix.example.org"}
)

// loadGenerated loads the compose.yaml that setup wrote to dir, as Compose does in that
// folder. If the caller names further files, loadGenerated merges them with
// compose.yaml.
func loadGenerated(t *testing.T, dir string, others ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(
		append([]string{filepath.Join(dir, "compose.yaml")}, others...),
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

// keyOf returns the key that Compose gives to the service, and the variable
// LIVEKIT_KEYS that Compose gives to the SFU.
func keyOf(t *testing.T, p *types.Project) (key stack.Key, keys string) {
	t.Helper()
	service, sfu := p.Services["matrixrtc-auth"].Environment, p.Services["livekit"].Environment
	for _, value := range []*string{service["LIVEKIT_KEY"], service["LIVEKIT_SECRET"], sfu["LIVEKIT_KEYS"]} {
		if value == nil {
			t.Fatal("the environment that Compose passes: got no key, want one for the service and one for the SFU")
		}
	}
	return stack.Key{ID: *service["LIVEKIT_KEY"], Secret: *service["LIVEKIT_SECRET"]}, *sfu["LIVEKIT_KEYS"]
}

// TestGeneratedCompose checks that Compose accepts the files that setup writes. Compose
// gets only the variables in .env, and none from this process's environment. The SFU and
// the service must get the same key.
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
				t.Errorf("got LiveKit's token signed as %q (%v), want the service's %q", token.APIKey(), err, key.ID)
			}
			for service, s := range project.Services {
				for _, v := range s.Volumes {
					if _, err := os.Stat(v.Source); v.Type == types.VolumeTypeBind && err != nil {
						t.Errorf("%s mounts %s: got %v, want a file that is there", service, v.Source, err)
					}
				}
			}
		})
	}
}

// TestGeneratedComposeWithSharedNetwork checks that the service joins the homeserver's
// network, and that the SFU does not.
func TestGeneratedComposeWithSharedNetwork(t *testing.T) {
	t.Parallel()
	project := loadGenerated(t, writeDeployment(t, "example.org", append(twoNames, "--homeserver-network", "matrix_default")...))
	networks := func(service string) []string {
		return slices.Sorted(maps.Keys(project.Services[service].Networks))
	}
	if got := networks("matrixrtc-auth"); !slices.Equal(got, []string{"default", "homeserver"}) {
		t.Errorf("the service's networks: got %q, want default and homeserver", got)
	}
	if got := networks("livekit"); !slices.Equal(got, []string{"default"}) {
		t.Errorf("the SFU's networks: got %q, want default alone", got)
	}
	if n := project.Networks["homeserver"]; n.Name != "matrix_default" || !bool(n.External) {
		t.Errorf("the homeserver's network is %+v, want an external network", n)
	}
}

// TestGeneratedLiveKitConfiguration checks that the SFU starts with the unchanged
// livekit.yaml that setup wrote.
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

// TestGeneratedProofOfWebSockets checks the request with which reverse-proxy.md proves
// that a proxy forwards WebSockets. The SFU must answer this request with 401. If a
// proxy removes the request's headers, the SFU must answer with another status.
func TestGeneratedProofOfWebSockets(t *testing.T) {
	t.Parallel()
	dir := writeDeployment(t, "example.org", twoNames...)
	key, _ := keyOf(t, loadGenerated(t, dir))
	sfu := &stack.SFU{
		Host: newHost(t), Program: programs.SFU,
		Config: filepath.Join(dir, "livekit.yaml"), Keys: []stack.Key{key}, Unchanged: true,
	}
	startPart(t, "SFU", sfu)
	headers := http.Header{}
	for _, match := range regexp.MustCompile(`-H '([^:']+): ([^']+)'`).FindAllStringSubmatch(string(readFile(t, filepath.Join(dir, "reverse-proxy.md"))), -1) {
		headers.Set(match[1], match[2])
	}
	if got := statusOf(t, sfu.APIURL()+"/rtc", headers); got != http.StatusUnauthorized {
		t.Errorf("with %v: %d, want 401", headers, got)
	}
	if got := statusOf(t, sfu.APIURL()+"/rtc", nil); got == http.StatusUnauthorized {
		t.Error("without the headers: got 401, want another status: the test with them proves nothing")
	}
}

// statusOf returns the status of the answer to a GET request.
func statusOf(t *testing.T, url string, headers http.Header) int {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, 10*time.Second), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = headers
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestGeneratedDeploymentCarriesACall checks that users can call each other in the
// deployment that setup writes. The SFU uses its livekit.yaml on loopback, and the
// service has the environment of its container. The test replaces addresses, and adds
// what a fake homeserver on loopback needs.
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
