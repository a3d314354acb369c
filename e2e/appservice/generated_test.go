package appservice

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/setup"
)

// TestGeneratedDeployment starts the deployment that `setup --appservice` writes, in
// the order of setup's instructions. A client gets a token from its homeserver and
// joins the SFU. The test changes only the addresses and the path of Synapse's copy of
// the registration.
func TestGeneratedDeployment(t *testing.T) {
	w := newWorld(t)
	s := &side{
		service: &stack.Service{Host: w.Host, Program: programs.Service},
		sfu:     &stack.SFU{Host: w.Host, Program: programs.SFU, OneMediaPort: true},
	}
	_, err := s.service.Address()
	must(t, err)
	s.homeserver = newHomeserver(t, w, "synapse", s.service.URL(), false)
	dir := writeDeployment(t, s)

	env := containerEnvironment(t, dir)
	s.sfu.Keys = []stack.Key{{ID: env["LIVEKIT_KEY"], Secret: env["LIVEKIT_SECRET"]}}
	s.sfu.Config, s.sfu.Webhook = filepath.Join(dir, "livekit.yaml"), s.service.URL()+"/sfu_webhook"
	start(t, "SFU", s.sfu)
	env["LIVEKIT_URL"], env["LIVEKIT_INTERNAL_URL"], env["LIVEKIT_STORE"] = s.sfu.URL(), s.sfu.APIURL(), "memory"
	for _, api := range []string{"LIVEKIT_CS_API_URL_OVERRIDES", "LIVEKIT_FEDERATION_URL_OVERRIDES"} {
		env[api] = s.name.String() + "=" + s.clientURL(t)
	}
	s.service.Env = env
	start(t, "service", s.service)
	s.eventuallyLogs(t, "application service: not ready")

	s.Additions = []string{strings.NewReplacer("/data/", dir+"/", "wss://sfu.example.org", s.sfu.URL()).Replace(readFile(t, filepath.Join(dir, "homeserver-additions.yaml")))}
	start(t, "Synapse", s.homeserver)
	s.eventuallyLogs(t, "application service: ready")
	if log := s.service.Log().String(); strings.Contains(log, `warning="LIVEKIT_AS_`) {
		t.Errorf("the service's log: got\n%s\nwant no warning of the registration", log)
	}

	alice := s.register(t, "alice")
	room := callRoom(t, alice)
	var list struct {
		Transports []struct {
			URL     string `json:"url"`
			Service string `json:"livekit_service_url"`
		} `json:"rtc_transports"`
	}
	must(t, alice.Call(within(t, time.Minute), http.MethodGet, "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports", nil, &list))
	if len(list.Transports) != 1 || list.Transports[0].Service != "https://jwt.example.org" {
		t.Fatalf("the homeserver lists %+v, want one with the service's address", list.Transports)
	}
	answer, _ := post(t, alice, unstable+"/get_token", s.call(room, map[string]any{"url": list.Transports[0].URL}))
	wants(t, "get_token", answer, http.StatusOK, "")
	join(t, s, answer.JWT)
}

// writeDeployment makes setup write a deployment for the homeserver of s.
func writeDeployment(t *testing.T, s *side) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{
		"--server-name", s.name.String(), "--jwt-host", "jwt.example.org", "--sfu-host", "sfu.example.org",
		"--base-url", "https://matrix.example.org", "--appservice", "--appservice-url", s.service.URL(), "--dir", dir,
	}
	var out bytes.Buffer
	if code := commandtest.Run(t.Context(), setup.Command(os.DirFS(repository)), args, nil, &out, &out); code != 0 {
		t.Fatalf("setup %q: got exit code %d, want 0\n%s", args, code, out.String())
	}
	return dir
}

// containerEnvironment returns the environment that Compose gives to the service's
// container. It replaces the paths of mounted files by their paths on this machine.
func containerEnvironment(t *testing.T, dir string) map[string]string {
	t.Helper()
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join(dir, "compose.yaml")},
		cli.WithName("test"), cli.WithWorkingDirectory(dir), cli.WithEnvFiles(), cli.WithDotEnv,
	)
	must(t, err)
	project, err := options.LoadProject(t.Context())
	must(t, err)
	service, env := project.Services["matrixrtc-auth"], map[string]string{}
	for name, value := range service.Environment {
		env[name] = *value
		for _, v := range service.Volumes {
			if *value == v.Target {
				env[name] = v.Source
			}
		}
	}
	return env
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}
