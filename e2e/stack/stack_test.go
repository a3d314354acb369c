package stack

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestHostsShareNoPorts(t *testing.T) {
	one, two := NewHost(t.TempDir()), NewHost(t.TempDir())
	defer one.Close()
	defer two.Close()
	seen := map[int]bool{}
	for range 3 {
		for _, host := range []*Host{one, two} {
			first, err := host.ports(60) // so many that the Host must reserve a new block of ports for the next call
			if err != nil {
				t.Fatal(err)
			}
			for port := first; port < first+60; port++ {
				if seen[port] || port < firstPort || port >= endPort {
					t.Fatalf("got port %d, want it once, and from %d to %d", port, firstPort, endPort-1)
				}
				seen[port] = true
			}
		}
	}
}

// TestHostsOfOtherDirectoriesShareNoPorts checks that two Hosts share no port, even if
// their programs have different directories for temporary files.
func TestHostsOfOtherDirectoriesShareNoPorts(t *testing.T) {
	one, two := NewHost(t.TempDir()), NewHost(t.TempDir())
	defer one.Close()
	defer two.Close()
	first, err := one.Address()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	if second, err := two.Address(); err != nil || second == first {
		t.Fatalf("two addresses: got %s and %s, %v, want two that differ", first, second, err)
	}
}

func TestCloseRemovesLocks(t *testing.T) {
	host := NewHost(t.TempDir())
	if _, err := host.Address(); err != nil {
		t.Fatal(err)
	}
	path := host.blocks[0].lock.Name()
	host.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s after Close: got %v, want it removed", path, err)
	}
}

// shell starts a script, and waits until the script prints "ready".
func shell(t *testing.T, script string) (*process, error) {
	t.Helper()
	p, err := start(t.Context(), NewHost(t.TempDir()), command{name: "script", program: "/bin/sh", args: []string{"-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return p, p.await(ctx, func() bool { return p.log.Line("ready") != "" })
}

func TestProcessStops(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   error
	}{
		"at the first signal":  {`trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done`, nil},
		"at the second signal": {`trap 'trap "exit 0" TERM' TERM; echo ready; while :; do sleep 0.05; done`, nil},
		"when it is killed":    {`trap '' TERM; echo ready; while :; do sleep 0.05; done`, errKilled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := shell(t, c.script)
			if err != nil {
				t.Fatal(err)
			}
			err = p.stop(ending{again: 100 * time.Millisecond, kill: time.Second})
			if !errors.Is(err, c.want) {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
		})
	}
}

func TestProcessThatEndsAtItsStart(t *testing.T) {
	_, err := shell(t, `echo out of luck >&2; exit 3`)
	if err == nil || !strings.Contains(err.Error(), "out of luck") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v, want the exit code and the log", err)
	}
}

// TestDeployKeepsTheRest checks that deploy keeps all settings that it does not have to
// change. It must even keep faulty settings, so that LiveKit's parser finds the faults.
func TestDeployKeepsTheRest(t *testing.T) {
	out, err := deploy([]byte("room: {auto_create: false}\nlevel: info\nrtc: {tcp_port: 7881}\n"), layOut(20000), "")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Port  int
		Level string
		Room  struct {
			AutoCreate *bool `yaml:"auto_create"`
		}
		RTC struct {
			TCPPort *int   `yaml:"tcp_port"`
			NodeIP  string `yaml:"node_ip"`
		}
	}
	if err := yaml.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Port != 20000 || *got.RTC.TCPPort != 0 || got.RTC.NodeIP != "127.0.0.1" {
		t.Errorf("got\n%s\nwant port 20000, no TCP port, and 127.0.0.1", out)
	}
	if got.Level != "info" || got.Room.AutoCreate == nil || *got.Room.AutoCreate {
		t.Errorf("got\n%s\nwant the level and the rooms as they were", out)
	}
	if _, err := deploy([]byte("rtc: 1"), layOut(20000), ""); err == nil {
		t.Error("deploy of a number in place of the rtc mapping: got no error, want one")
	}
}
