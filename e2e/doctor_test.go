package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// diagnosis is what doctor found, by check.
type diagnosis map[string]struct{ ID, Status, Seen, Cause string }

// diagnose runs the real doctor in the service's environment.
func (s *scene) diagnose(ctx context.Context, change map[string]string, args ...string) (diagnosis, int) {
	s.t.Helper()
	address, err := s.service.Address()
	if err != nil {
		s.t.Fatal(err)
	}
	env := map[string]string{"LIVEKIT_JWT_BIND": address, "HOME": s.host.Dir}
	maps.Copy(env, s.service.Env)
	maps.Copy(env, change)
	cmd := exec.CommandContext(ctx, programs.Service, append([]string{"doctor", "--json"}, args...)...)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	var report struct {
		Checks []struct{ ID, Status, Seen, Cause string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		s.t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	found := diagnosis{}
	for _, c := range report.Checks {
		found[c.ID] = c
	}
	return found, cmd.ProcessState.ExitCode()
}

// TestDoctor: on a real SFU the join is a real one, its data goes over UDP, its
// TURN server gives out an address, and its webhook comes back.
func TestDoctor(t *testing.T) {
	s := newLeaveScene(t, nil)
	start := time.Now()
	found, code := s.diagnose(t.Context(), nil, "--only", "sfu,webhook,service.status")
	// Clients of this deployment reach the SFU without a proxy, and its TCP
	// port for media is off.
	want := map[string]string{"sfu.api_hidden": "warn", "sfu.ice_tcp": "warn", "sfu.bare_prefix": "na"}
	for id, c := range found {
		status := want[id]
		if status == "" {
			status = "ok"
		}
		if c.Status != status {
			t.Errorf("%s: %s: %s %s", id, c.Status, c.Seen, c.Cause)
		}
	}
	if !strings.Contains(found["sfu.join"].Seen, "over UDP") || !strings.Contains(found["sfu.candidates"].Seen, "127.0.0.1:") ||
		!strings.Contains(found["sfu.turn"].Seen, "turn:127.0.0.1:") || len(found) != 14 || code != 0 {
		t.Errorf("exit code %d, %d checks: %+v", code, len(found), found)
	}
	t.Logf("took %s", time.Since(start))
}

// TestDoctorNames: the answers of a real SFU to a wrong key, to a restricted
// token and without a webhook.
func TestDoctorNames(t *testing.T) {
	s := newScene(t, nil, key)
	for _, test := range []struct {
		name, check, cause string
		change             map[string]string
	}{
		{"secret", "sfu.api", "the secret of the key matrixrtc is not LiveKit's", map[string]string{"LIVEKIT_SECRET": "another-secret-of-more-than-32-letters"}},
		{"key", "sfu.api", "LiveKit does not know the API key other", map[string]string{"LIVEKIT_KEY": "other"}},
		{"webhook", "webhook.round_trip", "LiveKit made a room and told this service nothing", nil},
	} {
		found, code := s.diagnose(t.Context(), test.change, "--only", test.check)
		if c := found[test.check]; code != 1 || !strings.HasPrefix(c.Cause, test.cause) {
			t.Errorf("%s: exit code %d, %+v", test.name, code, c)
		}
	}
}

// TestDoctorAutoCreate: a real SFU with auto_create lets a restricted token
// make its room.
func TestDoctorAutoCreate(t *testing.T) {
	s := &scene{t: t, host: newHost(t)}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.host.WriteFile("open.yaml", bytes.Replace(text, []byte("auto_create: false"), []byte("auto_create: true"), 1))
	if err != nil {
		t.Fatal(err)
	}
	s.sfu = &stack.SFU{Host: s.host, Program: programs.SFU, Config: config, Keys: []stack.Key{key}}
	startPart(t, "SFU", s.sfu)
	s.service = &stack.Service{Host: s.host, Env: map[string]string{
		"LIVEKIT_URL": s.sfu.URL(), "LIVEKIT_KEY": key.ID, "LIVEKIT_SECRET": key.Secret,
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": "example.org", "LIVEKIT_STORE": "memory",
	}}
	found, code := s.diagnose(t.Context(), nil, "--only", "sfu.auto_create")
	if c := found["sfu.auto_create"]; code != 1 || !strings.HasPrefix(c.Cause, "LiveKit makes a room for whoever comes") {
		t.Errorf("exit code %d, %+v", code, c)
	}
}
