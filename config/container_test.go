package config_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestContainer checks each mark by which this program recognizes a container
// of Docker, Podman or Kubernetes.
func TestContainer(t *testing.T) {
	for name, c := range map[string]struct {
		files disk
		env   map[string]string
		want  bool
	}{
		"a machine":              {disk{"/proc/self/cgroup": "0::/user.slice/user-1000.slice"}, nil, false},
		"no /proc":               {disk{}, nil, false},
		"Docker":                 {disk{"/.dockerenv": ""}, nil, true},
		"Podman":                 {disk{"/run/.containerenv": ""}, nil, true},
		"Docker's control group": {disk{"/proc/self/cgroup": "12:memory:/docker/0123456789ab"}, nil, true},
		"Podman's control group": {disk{"/proc/self/cgroup": "0::/machine.slice/libpod-0123456789ab.scope"}, nil, true},
		"a pod's control group":  {disk{"/proc/self/cgroup": "0::/kubepods/besteffort/pod0123"}, nil, true},
		"Kubernetes":             {disk{}, map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := config.Container(c.files.read, func(name string) string { return c.env[name] }); got != c.want {
				t.Errorf("container() = %v, want %v", got, c.want)
			}
		})
	}
}

// TestLoopbackInContainer checks the warning about a loopback address in a
// container, which nothing outside the container can reach.
func TestLoopbackInContainer(t *testing.T) {
	for bind, alone := range map[string]bool{
		"127.0.0.1:8080":   true,
		"127.1.2.3:8080":   true,
		"[::1]:8080":       true,
		"localhost:8080":   true,
		":8080":            false,
		"0.0.0.0:8080":     false,
		"[::]:8080":        false,
		"172.18.0.5:8080":  false,
		"unix:/run/socket": false,
	} {
		t.Run(bind, func(t *testing.T) {
			for _, container := range []bool{true, false} {
				in := minimal().with(vars{"LIVEKIT_JWT_BIND": bind}).input()
				in.Container = container
				_, warnings, err := config.Parse(in, disk{}.read)
				if err != nil {
					t.Fatal(err)
				}
				var told []string
				for _, w := range warnings {
					if w.Kind == config.ContainerAlone {
						told = append(told, w.String())
					}
				}
				if want := alone && container; want != (len(told) == 1) {
					t.Errorf("LIVEKIT_JWT_BIND=%s, in a container %v: warnings %q, want one: %v", bind, container, told, want)
				}
				if len(told) == 1 && (!strings.HasPrefix(told[0], "LIVEKIT_JWT_BIND: ") || !strings.Contains(told[0], "write :8080,")) {
					t.Errorf("LIVEKIT_JWT_BIND=%s: got %q, want what to write in it", bind, told[0])
				}
			}
		})
	}
}

// TestLoopbackBesideSFU checks that a loopback address causes no warning if the
// SFU has a loopback address, too. The SFU then shares the container's network,
// as in a pod, and can reach the service.
func TestLoopbackBesideSFU(t *testing.T) {
	for name, c := range map[string]struct {
		sfu   vars
		alone bool
	}{
		"elsewhere":              {vars{"LIVEKIT_URL": "wss://sfu.example.org"}, true},
		"beside":                 {vars{"LIVEKIT_URL": "ws://127.0.0.1:7880"}, false},
		"beside, by name":        {vars{"LIVEKIT_URL": "wss://sfu.example.org", "LIVEKIT_INTERNAL_URL": "http://localhost:7880"}, false},
		"in a container besides": {vars{"LIVEKIT_URL": "wss://sfu.example.org", "LIVEKIT_INTERNAL_URL": "http://livekit:7880"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := minimal().with(c.sfu).with(vars{"LIVEKIT_JWT_BIND": "127.0.0.1:8080"}).input()
			in.Container = true
			_, warnings, err := config.Parse(in, disk{}.read)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.ContainsFunc(warnings, func(w config.Warning) bool { return w.Kind == config.ContainerAlone }); got != c.alone {
				t.Errorf("%v: warned %v, want %v: %v", c.sfu, got, c.alone, warnings)
			}
		})
	}
}

// TestNoFileIsNoContainer checks a process that may not read the files by which
// it would recognize a container. Container must then return false.
func TestNoFileIsNoContainer(t *testing.T) {
	closed := func(string) ([]byte, error) { return nil, os.ErrPermission }
	if config.Container(closed, func(string) string { return "" }) {
		t.Error("Container with files that cannot be read: got true, want false")
	}
}
