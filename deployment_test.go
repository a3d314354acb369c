package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/secret"
)

// compose is the part of compose.yaml that the tests compare with the program.
type compose struct {
	Services map[string]struct {
		Image       string
		Build       string
		Command     []string
		EnvFile     string `yaml:"env_file"`
		Environment map[string]string
		Volumes     []volume
		Ports       []string
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		ReadOnly    bool     `yaml:"read_only"`
		Restart     string
		Healthcheck struct{ Test []string }
	}
	Volumes map[string]any // the named volumes
}

// volume is a mount in the long form of Compose files. The tests want this
// form, because with the short form Compose creates an empty folder in place of
// a missing file.
type volume struct {
	Type, Source, Target string
	ReadOnly             bool `yaml:"read_only"`
	Bind                 struct {
		CreateHostPath *bool `yaml:"create_host_path"`
	}
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompose checks the images, rights and mounts of the containers in
// compose.yaml.
func TestCompose(t *testing.T) {
	c := readCompose(t)
	livekit, auth := c.Services["livekit"], c.Services["matrixrtc-auth"]
	version := strings.TrimSpace(read(t, "VERSION"))
	if want := "matrixrtc-auth:" + version; auth.Image != want || auth.Build != "." {
		t.Errorf("got the image %q, built from %q, want %q, built from this folder", auth.Image, auth.Build, want)
	}
	if !regexp.MustCompile(`^livekit/livekit-server:v\d+\.\d+\.\d+$`).MatchString(livekit.Image) {
		t.Errorf("LiveKit's image: got %q, want one pinned to a version", livekit.Image)
	}
	for name, s := range c.Services {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: got read_only %v, cap_drop %q, security_opt %q, want a read-only root without privileges", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if s.Restart == "" || len(s.Healthcheck.Test) == 0 {
			t.Errorf("%s: got restart %q and the health check %q, want both", name, s.Restart, s.Healthcheck.Test)
		}
		for _, volume := range s.Volumes {
			if _, named := c.Volumes[volume.Source]; named && volume.Type == "volume" {
				continue
			}
			if volume.Type != "bind" || !strings.HasPrefix(volume.Source, "./") || !volume.ReadOnly {
				t.Errorf("%s: got the volume %+v, want a bind mount of a relative path, read only", name, volume)
			}
			if create := volume.Bind.CreateHostPath; create == nil || *create {
				t.Errorf("%s, the volume %s: got no create_host_path: false, want it, because without it Docker creates an empty folder in place of a missing file", name, volume.Source)
			}
		}
	}
	if auth.Environment["LIVEKIT_INTERNAL_URL"] != "http://livekit:7880" {
		t.Errorf("the service does not reach LiveKit under the name that compose.yaml gives it: got %v, want http://livekit:7880", auth.Environment["LIVEKIT_INTERNAL_URL"])
	}
}

// usualDirectory returns the directory in which the service keeps leaves by
// default.
func usualDirectory(t *testing.T) string {
	t.Helper()
	in := config.Input{DataWritable: true, Environment: config.Environment{
		"LIVEKIT_URL":                     secret.New("wss://sfu.example.org"),
		"LIVEKIT_KEY":                     secret.New("key"),
		"LIVEKIT_SECRET":                  secret.New("0123456789abcdef0123456789abcdef"),
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": secret.New("example.org"),
	}}
	c, _, err := config.Parse(in, os.ReadFile)
	if err != nil || c.Store.Kind != config.StoreFile {
		t.Fatalf("where leaves are kept: got %v, %v, want a file", c.Store, err)
	}
	return path.Dir(c.Store.Path)
}

// TestDataDirectory checks that leaves are still there after a container is
// replaced. In the image, the directory of leaves must belong to the image's
// user. compose.yaml must mount a named volume there.
func TestDataDirectory(t *testing.T) {
	dir, dockerfile := usualDirectory(t), read(t, "Dockerfile")
	user := regexp.MustCompile(`(?m)^USER (\d+:\d+)$`).FindStringSubmatch(dockerfile)
	if user == nil || !strings.Contains(dockerfile, "COPY --from=build --chown="+user[1]+" "+dir+" "+dir+"\n") {
		t.Errorf("Dockerfile: got the user %v, want one who owns %s", user, dir)
	}
	if regexp.MustCompile(`(?m)^VOLUME`).MatchString(dockerfile) {
		t.Error("Dockerfile: got a VOLUME, want none: with it leaves would seem safe, but would be deleted with the container")
	}
	c := readCompose(t)
	volumes := slices.DeleteFunc(c.Services["matrixrtc-auth"].Volumes, func(v volume) bool { return v.Type == "bind" })
	if len(volumes) != 1 || volumes[0].Type != "volume" || volumes[0].Target != dir || volumes[0].ReadOnly {
		t.Fatalf("got the volumes %+v, want one at %s", volumes, dir)
	}
	if _, named := c.Volumes[volumes[0].Source]; !named {
		t.Errorf("got the volume %q, want one that is declared", volumes[0].Source)
	}
}

// TestComposePorts checks that compose.yaml publishes the right ports, and that
// a comment explains each port. It also checks that the router's table in
// docs/synology.md lists these ports.
func TestComposePorts(t *testing.T) {
	c := readCompose(t)
	published := slices.Concat(c.Services["livekit"].Ports, c.Services["matrixrtc-auth"].Ports)
	want := []string{
		"127.0.0.1:7880:7880/tcp", "7881:7881/tcp", "20000-20200:20000-20200/udp",
		"3478:3478/udp", "5349:5349/tcp", "20201-20300:20201-20300/udp", "127.0.0.1:8080:8080/tcp",
	}
	if !slices.Equal(published, want) {
		t.Errorf("got the ports %q, want %q", published, want)
	}
	text, page := read(t, "compose.yaml"), read(t, "docs/synology.md")
	for _, port := range published {
		if !regexp.MustCompile(`#.*\n\s+- "` + regexp.QuoteMeta(port) + `"`).MatchString(text) {
			t.Errorf("compose.yaml: got no comment above the port %s, want one", port)
		}
		if strings.HasPrefix(port, "127.") {
			continue
		}
		outside, protocol, _ := strings.Cut(strings.Split(port, ":")[0]+port[strings.Index(port, "/"):], "/")
		row := fmt.Sprintf("| %s | %s |", strings.ReplaceAll(outside, "-", "–"), strings.ToUpper(protocol))
		if !strings.Contains(page, row) {
			t.Errorf("docs/synology.md, the router's table: got no %q, want it", row)
		}
	}
}

// TestComposeLiveKitFile checks that both containers mount the same
// livekit.yaml.
func TestComposeLiveKitFile(t *testing.T) {
	for name, s := range readCompose(t).Services {
		if !slices.ContainsFunc(s.Volumes, func(v volume) bool {
			return v.Source == "./livekit.yaml" && v.Target == "/etc/livekit.yaml" && v.ReadOnly
		}) {
			t.Errorf("%s: got the volumes %+v, want livekit.yaml at /etc/livekit.yaml, read only", name, s.Volumes)
		}
	}
}

// TestComposeSecrets checks that both containers get their secrets from .env,
// and that .env.example contains no secret.
func TestComposeSecrets(t *testing.T) {
	c := readCompose(t)
	livekit, auth := c.Services["livekit"], c.Services["matrixrtc-auth"]
	key := auth.Environment["LIVEKIT_KEY"]
	if auth.EnvFile != ".env" || !strings.HasPrefix(livekit.Environment["LIVEKIT_KEYS"], `"`+key+`": "${LIVEKIT_SECRET`) {
		t.Errorf("got the key %q of the service and LIVEKIT_KEYS=%s of LiveKit, want that both share the pair of .env", key, livekit.Environment["LIVEKIT_KEYS"])
	}
	for _, line := range strings.Split(read(t, ".env.example"), "\n") {
		if name, value, found := strings.Cut(line, "="); found && strings.Contains(name, "SECRET") && value != "" {
			t.Errorf(".env.example: got a value of %s, want none: an operator might keep the example's secret", name)
		}
	}
}

// TestTemplatesReachTheImage checks that .dockerignore does not exclude the
// files that embed.go names.
func TestTemplatesReachTheImage(t *testing.T) {
	directive := regexp.MustCompile(`(?m)^//go:embed (.+)$`).FindStringSubmatch(read(t, "embed.go"))
	if directive == nil {
		t.Fatal("embed.go: got no go:embed, want one")
	}
	ignored := strings.Fields(read(t, ".dockerignore"))
	for _, name := range strings.Fields(directive[1]) {
		if slices.Contains(ignored, name) {
			t.Errorf(".dockerignore: got %s, want it in the build", name)
		}
	}
}

// TestSecretsStayOut checks that neither the repository nor the image includes
// the secrets of a deployment. This must also hold for a deployment in a folder
// of the source, and for files that are left if setup is killed.
func TestSecretsStayOut(t *testing.T) {
	anywhere := map[string]string{".gitignore": "", ".dockerignore": "**/"}
	for file, prefix := range anywhere {
		t.Run(file, func(t *testing.T) {
			lines := strings.Fields(read(t, file))
			for _, secret := range []string{".env", ".env.new*", ".env.bak*", "..env.*", "turn-key.pem*", ".turn-key.pem.*", "matrixrtc-auth-registration.yaml*", ".matrixrtc-auth-registration.yaml.*"} {
				if !slices.Contains(lines, prefix+secret) {
					t.Errorf("%s: got no line %s, want it", file, prefix+secret)
				}
			}
			if !slices.Contains(lines, "livekit.yaml") && !slices.Contains(lines, "/livekit.yaml") {
				t.Errorf("%s: got no line livekit.yaml, want it", file)
			}
		})
	}
}

// TestLiveKitExample checks that the settings in livekit.yaml.example fit
// compose.yaml. The tests in e2e/ start LiveKit with this file, but cannot
// notice if it does not fit, because LiveKit does not read compose.yaml.
func TestLiveKitExample(t *testing.T) {
	var example struct {
		Port uint16
		RTC  struct {
			TCPPort       uint16 `yaml:"tcp_port"`
			First         uint16 `yaml:"port_range_start"`
			Last          uint16 `yaml:"port_range_end"`
			UseExternalIP bool   `yaml:"use_external_ip"`
		}
		Room struct {
			AutoCreate *bool `yaml:"auto_create"`
		}
		TURN struct {
			First uint16 `yaml:"relay_range_start"`
			Last  uint16 `yaml:"relay_range_end"`
		}
		Webhook struct {
			APIKey string `yaml:"api_key"`
			URLs   []string
		}
		Keys map[string]string
	}
	if err := yaml.NewDecoder(bytes.NewReader([]byte(read(t, "livekit.yaml.example")))).Decode(&example); err != nil {
		t.Fatal(err)
	}
	c := readCompose(t)
	media := fmt.Sprintf("%d-%d", example.RTC.First, example.RTC.Last)
	for _, port := range []string{
		fmt.Sprintf("127.0.0.1:%d:%[1]d/tcp", example.Port),
		fmt.Sprintf("%d:%[1]d/tcp", example.RTC.TCPPort),
		media + ":" + media + "/udp",
		fmt.Sprintf("%d-%d:%[1]d-%[2]d/udp", example.TURN.First, example.TURN.Last),
	} {
		if !slices.Contains(c.Services["livekit"].Ports, port) {
			t.Errorf("compose.yaml: got the ports %q of LiveKit, want %s among them", c.Services["livekit"].Ports, port)
		}
	}
	if example.Room.AutoCreate == nil || *example.Room.AutoCreate || !example.RTC.UseExternalIP {
		t.Errorf("got %+v and %+v, want room.auto_create false and rtc.use_external_ip true", example.Room, example.RTC)
	}
	key := example.Webhook.APIKey
	if c.Services["matrixrtc-auth"].Environment["LIVEKIT_KEY"] != "${LIVEKIT_KEY:-"+key+"}" || len(example.Keys) > 0 {
		t.Errorf("got webhook.api_key %q and %d keys, want the usual key of compose.yaml, and no keys in the file", key, len(example.Keys))
	}
	if !strings.Contains(read(t, ".env.example"), "\nLIVEKIT_KEY="+key+"\n") {
		t.Errorf("got webhook.api_key %q, want the key of .env.example", key)
	}
	if !slices.Equal(example.Webhook.URLs, []string{"http://matrixrtc-auth:8080/sfu_webhook"}) {
		t.Errorf("got webhook.urls %q, want the service's alone", example.Webhook.URLs)
	}
}
