package main_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor"
	"matrixrtc-auth/internal/command/commandtest"
)

// TestComposeVariables checks that the service or compose.yaml reads every
// variable of .env.example. It also checks that .env.example has every variable
// that compose.yaml reads.
func TestComposeVariables(t *testing.T) {
	c := readCompose(t)
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	given := namesOf(t, ".env.example", `(?m)^([^#=\n]+)=`)
	asked := namesOf(t, "compose.yaml", `\$\{?(\w+)`)
	for name := range given {
		if !known[name] && !asked[name] {
			t.Errorf(".env.example: got %s, want variables that compose.yaml or the service reads", name)
		}
	}
	for name := range asked {
		if !given[name] {
			t.Errorf("compose.yaml: got %s, want variables that are in .env.example", name)
		}
	}
	for name := range c.Services["matrixrtc-auth"].Environment {
		if !known[name] {
			t.Errorf("compose.yaml, the service's environment: got %s, want variables that it knows", name)
		}
	}
	if got := slices.Collect(maps.Keys(c.Services["livekit"].Environment)); !slices.Equal(got, []string{"LIVEKIT_KEYS"}) {
		t.Errorf("LiveKit's environment: got %q, want LIVEKIT_KEYS alone", got)
	}
}

// namesOf returns the names in a file. The first group of the regular
// expression pattern matches a name.
func namesOf(t *testing.T, file, pattern string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, file), -1) {
		names[match[1]] = true
	}
	if len(names) == 0 {
		t.Fatalf("%s has no name that matches, want some", file)
	}
	return names
}

// TestComposePortsAreListenedAt checks that compose.yaml publishes exactly the
// ports on which LiveKit and the service listen. LiveKit's ports come from
// livekit.yaml.example. This file has the port of TURN over TLS only in a
// comment.
func TestComposePortsAreListenedAt(t *testing.T) {
	var livekit struct {
		Port uint16
		RTC  map[string]any
		TURN map[string]any
	}
	text := regexp.MustCompile(`(?m)^  # (\w+: \S+)$`).ReplaceAllString(read(t, "livekit.yaml.example"), "  $1")
	if err := yaml.Unmarshal([]byte(text), &livekit); err != nil {
		t.Fatal(err)
	}
	media := fmt.Sprintf("%v-%v", livekit.RTC["port_range_start"], livekit.RTC["port_range_end"])
	bind := ""
	for _, v := range config.Variables() {
		if v.Name == "LIVEKIT_JWT_BIND" {
			bind = strings.TrimPrefix(v.Default, ":")
		}
	}
	for service, want := range map[string][]string{
		"livekit": {
			fmt.Sprintf("127.0.0.1:%d/tcp", livekit.Port),
			fmt.Sprintf("%v/tcp", livekit.RTC["tcp_port"]),
			media + "/udp",
			fmt.Sprintf("%v/udp", livekit.TURN["udp_port"]),
			fmt.Sprintf("%v/tcp", livekit.TURN["tls_port"]),
			fmt.Sprintf("%v-%v/udp", livekit.TURN["relay_range_start"], livekit.TURN["relay_range_end"]),
		},
		"matrixrtc-auth": {"127.0.0.1:" + bind + "/tcp"},
	} {
		t.Run(service, func(t *testing.T) {
			var got []string
			for _, port := range readCompose(t).Services[service].Ports {
				outside, inside, _ := cutLast(port, ":")
				if number, protocol, _ := strings.Cut(inside, "/"); strings.HasSuffix(outside, number) {
					got = append(got, outside+"/"+protocol)
				} else {
					t.Errorf("%s: got the port %s, want the same number outside and inside", service, port)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got the published ports %q, want those where it listens, %q", service, got, want)
			}
		})
	}
}

// cutLast cuts text at the last place where separator occurs.
func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// TestComposeVolumesAreRead checks that each file that compose.yaml mounts is
// read by a program. LiveKit's command line must name LiveKit's file. The
// service or doctor must read the other files by default.
func TestComposeVolumesAreRead(t *testing.T) {
	c := readCompose(t)
	command := c.Services["livekit"].Command
	if i := slices.Index(command, "--config"); i < 0 || i+1 == len(command) {
		t.Fatalf("LiveKit's command: got %q, want --config and a file in it", command)
	} else if got := targets(c.Services["livekit"].Volumes); !slices.Equal(got, []string{command[i+1]}) {
		t.Errorf("LiveKit's volumes: got %q, want the file that it reads, %s", got, command[i+1])
	}
	for _, target := range targets(c.Services["matrixrtc-auth"].Volumes) {
		if target != usualDirectory(t) && !strings.Contains(doctorHelp(t), "(default: "+target+" ") {
			t.Errorf("the service's volumes: got %s, want places that the service or doctor knows", target)
		}
	}
}

// doctorHelp returns the output of doctor --help, with spaces in place of the
// line ends.
func doctorHelp(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if code := commandtest.Run(t.Context(), doctor.Command(nil, nil), []string{"--help"}, nil, &out, io.Discard); code != 0 {
		t.Fatalf("doctor --help: got exit code %d, want 0", code)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func targets(volumes []volume) (list []string) {
	for _, v := range volumes {
		list = append(list, v.Target)
	}
	return list
}
