package e2e

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// diagnose runs the command doctor with the service's environment. The map change
// contains additional variables, and other values for variables.
func (s *scene) diagnose(ctx context.Context, change map[string]string, args ...string) stack.Diagnosis {
	s.t.Helper()
	address, err := s.service.Address()
	if err != nil {
		s.t.Fatal(err)
	}
	env := map[string]string{"LIVEKIT_JWT_BIND": address, "HOME": s.host.Dir}
	maps.Copy(env, s.service.Env)
	maps.Copy(env, change)
	d, err := stack.Diagnose(ctx, programs.Service, env, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// TestDoctor checks doctor's results with a real SFU. Doctor must join a room and send
// data over UDP. The SFU's TURN server must give doctor an address, and the SFU's
// webhook about doctor's room must reach the service.
func TestDoctor(t *testing.T) {
	s := newLeaveScene(t, nil)
	start := time.Now()
	d := s.diagnose(t.Context(), nil, "--only", "sfu,webhook,service.status")
	// Clients of this deployment connect to the SFU without a proxy. The SFU accepts no
	// media over TCP.
	want := map[string]string{"sfu.api_hidden": "warn", "sfu.ice_tcp": "warn", "sfu.bare_prefix": "na"}
	for _, c := range d.Checks {
		if want := cmp.Or(want[c.ID], "ok"); c.Status != want {
			t.Errorf("%s: got %s, want %s: %s %s", c.ID, c.Status, want, c.Seen, c.Cause)
		}
	}
	if !strings.Contains(d.Check("sfu.join").Seen, "over UDP") || !strings.Contains(d.Check("sfu.candidates").Seen, "127.0.0.1:") ||
		!strings.Contains(d.Check("sfu.turn").Seen, "turn:127.0.0.1:") || len(d.Checks) != 16 || d.Code != 0 {
		t.Errorf("got exit code %d, %d checks, want 0, 16: %+v", d.Code, len(d.Checks), d.Checks)
	}
	t.Logf("took %s", time.Since(start))
}

// TestDoctorNames checks that doctor names the right cause from the answers of a real
// SFU. The faults are a wrong secret, an unknown key, and a missing webhook.
func TestDoctorNames(t *testing.T) {
	s := newScene(t, nil, key)
	for _, test := range []struct {
		name, check, causeID string
		change               map[string]string
	}{
		{"secret", "sfu.api", "sfu-secret", map[string]string{"LIVEKIT_SECRET": "another-secret-of-more-than-32-letters"}},
		{"key", "sfu.api", "sfu-key", map[string]string{"LIVEKIT_KEY": "other"}},
		{"webhook", "webhook.round_trip", "webhook-missing", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := s.diagnose(t.Context(), test.change, "--only", test.check)
			if c := d.Check(test.check); d.Code != 1 || c.CauseID != test.causeID {
				t.Errorf("%s: got exit code %d and %+v, want 1 and the cause %s", test.name, d.Code, c, test.causeID)
			}
		})
	}
}

// TestDoctorAutoCreate checks that doctor finds a fault in a real SFU with auto_create.
// Such an SFU creates a room even for a participant with a restricted token.
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
	d := s.diagnose(t.Context(), nil, "--only", "sfu.auto_create")
	if c := d.Check("sfu.auto_create"); d.Code != 1 || c.CauseID != "auto-create" {
		t.Errorf("got exit code %d, %+v, want 1 and the cause auto-create", d.Code, c)
	}
}
