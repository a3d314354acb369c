package setup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/config"
)

// TestFilesAreAccepted checks that programs can read the files that setup
// writes. It uses the parser of each program, if this module contains that
// parser. The tests in e2e/ start LiveKit and the proxies with the files.
func TestFilesAreAccepted(t *testing.T) {
	standInGo(t, "an image")
	for name, args := range typical(t) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.exec(exitOK, slices.Concat(args, []string{"--dir", l.dir})...)
			l.checkService()
			l.checkMounts()
			l.checkAgreement()
		})
	}
}

// checkService checks that the service accepts its configuration without faults
// or warnings.
func (l *lab) checkService() {
	l.t.Helper()
	l.setenv()
	_, warnings, err := config.Load()
	if err != nil || len(warnings) > 0 {
		l.t.Errorf("the service's configuration: got the fault %v and the warnings %q, want none", err, warnings)
	}
}

// setenv gives this process the environment variables of the service's
// container.
func (l *lab) setenv() {
	l.t.Helper()
	for _, v := range config.Variables() {
		l.t.Setenv(v.Name, "")
	}
	for name, value := range l.env() {
		l.t.Setenv(name, value)
	}
	l.t.Setenv("LIVEKIT_INTERNAL_URL", "http://livekit:7880")
	l.t.Setenv("LIVEKIT_STORE", "file:/data/leaves.db")
	inside := parseYAML[deployment](l, "compose.yaml").Services["matrixrtc-auth"].Environment
	l.t.Setenv("LIVEKIT_HS_SERVER_NAME", inside["LIVEKIT_HS_SERVER_NAME"])
	if file, ok := inside["LIVEKIT_AS_REGISTRATION_FILE"]; ok {
		l.t.Setenv("LIVEKIT_AS_REGISTRATION_FILE", l.path(strings.TrimPrefix(file, "/etc/")))
	}
}

// deployment is the part of compose.yaml that these tests check.
type deployment struct {
	Services map[string]struct {
		Image       string
		Environment map[string]string
		Ports       []string
		Volumes     []struct {
			Type, Source string
			ReadOnly     bool `yaml:"read_only"`
		}
	}
	Volumes map[string]any
}

func parseYAML[T any](l *lab, name string) (v T) {
	l.t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(l.read(name)))
	if err := decoder.Decode(&v); err != nil {
		l.t.Fatalf("reading %s: got %v, want no error", name, err)
	}
	return v
}

// checkMounts checks that each container mounts livekit.yaml. It also checks
// that all mounts are read-only files that setup wrote, and that the secret is
// only in .env.
func (l *lab) checkMounts() {
	l.t.Helper()
	compose, files := parseYAML[deployment](l, "compose.yaml"), l.list()
	for service, s := range compose.Services {
		mounted := false
		for _, v := range s.Volumes {
			name, relative := strings.CutPrefix(v.Source, "./")
			if v.Type == "bind" && (!relative || !v.ReadOnly || !slices.Contains(files, name)) {
				l.t.Errorf("%s mounts %s, which setup did not write, or which is not mounted read-only", service, v.Source)
			}
			mounted = mounted || name == "livekit.yaml"
		}
		if !mounted {
			l.t.Errorf("%s does not mount livekit.yaml", service)
		}
	}
	if secret := l.env()["LIVEKIT_SECRET"]; len(secret) < 2*32 {
		l.t.Errorf("the secret has %d characters, want at least 64", len(secret))
	} else {
		for _, name := range files {
			if name != envFile && strings.Contains(l.read(name), secret) {
				l.t.Errorf("%s holds the secret", name)
			}
		}
	}
}

// checkAgreement checks that the files that setup wrote agree about ports, keys and
// addresses.
func (l *lab) checkAgreement() {
	l.t.Helper()
	livekit := parseYAML[struct {
		RTC struct {
			First int `yaml:"port_range_start"`
			Last  int `yaml:"port_range_end"`
		}
		Webhook struct {
			APIKey string `yaml:"api_key"`
		}
		TURN struct {
			Enabled bool
			UDP     int `yaml:"udp_port"`
			TLS     int `yaml:"tls_port"`
			First   int `yaml:"relay_range_start"`
			Last    int `yaml:"relay_range_end"`
		}
		Keys map[string]string
	}](l, "livekit.yaml")
	published := parseYAML[deployment](l, "compose.yaml").Services["livekit"].Ports
	want := []string{"127.0.0.1:7880:7880/tcp", "7881:7881/tcp", fmt.Sprintf("%d-%d:%[1]d-%[2]d/udp", livekit.RTC.First, livekit.RTC.Last)}
	for port, protocol := range map[int]string{livekit.TURN.UDP: "udp", livekit.TURN.TLS: "tcp"} {
		if port != 0 {
			want = append(want, fmt.Sprintf("%d:%[1]d/%s", port, protocol))
		}
	}
	if livekit.TURN.Enabled {
		want = append(want, fmt.Sprintf("%d-%d:%[1]d-%[2]d/udp", livekit.TURN.First, livekit.TURN.Last))
	}
	slices.Sort(published)
	slices.Sort(want)
	if !slices.Equal(published, want) || livekit.TURN.Enabled != (len(want) > 3) {
		l.t.Errorf("ports %q are published, livekit.yaml needs %q", published, want)
	}
	if livekit.Webhook.APIKey != l.env()["LIVEKIT_KEY"] || livekit.Keys != nil {
		l.t.Error("webhook.api_key is not the key of .env, or keys stand in livekit.yaml")
	}
	l.checkHomeserver()
}

// transport is one entry of the list that tells clients the address of this
// service. The well-known file and the homeserver's settings contain that list.
type transport struct {
	Type       string
	ServiceURL string `yaml:"livekit_service_url" json:"livekit_service_url"`
	URL        string
}

// checkHomeserver checks that older clients, which read the well-known file,
// and newer clients, which ask the homeserver, get the same addresses.
func (l *lab) checkHomeserver() {
	l.t.Helper()
	var wellKnown struct {
		Foci []transport `json:"org.matrix.msc4143.rtc_foci"`
	}
	if err := json.Unmarshal([]byte(l.read("well-known-client.json")), &wellKnown); err != nil {
		l.t.Fatal(err)
	}
	additions := parseYAML[struct {
		Delay         string                           `yaml:"max_event_delay_duration"`
		Registrations []string                         `yaml:"app_service_config_files"`
		Features      map[string]bool                  `yaml:"experimental_features"`
		RTC           struct{ Transports []transport } `yaml:"matrix_rtc"`
		Extra         struct {
			Foci []transport `yaml:"org.matrix.msc4143.rtc_foci"`
		} `yaml:"extra_well_known_client_content"`
	}](l, "homeserver-additions.yaml")
	for i := range additions.RTC.Transports {
		l.checkURL(additions.RTC.Transports[i].URL)
		additions.RTC.Transports[i].URL = ""
	}
	for _, list := range [][]transport{additions.RTC.Transports, additions.Extra.Foci} {
		if len(list) != 1 || !slices.Equal(list, wellKnown.Foci) {
			l.t.Errorf("newer clients get %v, older ones get %v, want the same for both", list, wellKnown.Foci)
		}
	}
	l.checkRegistration(additions.Registrations, additions.Features)
	if additions.Delay != "24h" {
		l.t.Error("homeserver-additions.yaml leaves delayed events off, want them on")
	}
	for _, name := range []string{"nginx.conf.example", "Caddyfile.example"} {
		if !strings.Contains(l.read("reverse-proxy.md"), strings.TrimSpace(l.read(name))) {
			l.t.Errorf("reverse-proxy.md does not quote %s", name)
		}
	}
}
