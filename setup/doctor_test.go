package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/internal/command/commandtest"
)

// TestDoctorFindsNothing checks that doctor reports no fault and no warning
// about a written deployment. It runs only the checks that need no network.
func TestDoctorFindsNothing(t *testing.T) {
	standInGo(t, "an image")
	for name, args := range typical(t) {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.exec(exitOK, slices.Concat(args, []string{"--dir", l.dir})...)
			l.checkDoctor()
		})
	}
}

// judged are the checks of doctor that must have the result OK. A check that
// doctor skips has another result.
var judged = []string{
	"config.environment", "config.keys", "config.full_access", "config.sfu_url", "config.warnings",
	"livekit.file", "livekit.keys", "livekit.webhook", "livekit.ports", "livekit.udp_range", "livekit.auto_create",
}

// checkDoctor runs doctor in the environment of the service's container, with
// the default settings of Linux.
func (l *lab) checkDoctor() {
	l.t.Helper()
	l.setenv()
	look := doctor.NewLook("test")
	look.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network here") }
	look.ReadFile = func(name string) ([]byte, error) {
		switch name {
		case "/etc/livekit.yaml":
			return []byte(l.read("livekit.yaml")), nil
		case "/proc/sys/net/ipv4/ip_local_port_range":
			return []byte("32768\t60999\n"), nil
		}
		return nil, os.ErrNotExist
	}
	// The check that asks a STUN server is left out.
	args := []string{"--json", "--strict", "--only", "config,livekit", "--skip", "livekit.external_ip"}
	var out, faults bytes.Buffer
	code := commandtest.Run(l.t.Context(), doctor.Command(config.Inspect, look), args, strings.NewReader(""), &out, &faults)
	var report struct {
		Checks []struct {
			ID     string
			Status engine.Status
			Seen   string
		}
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		l.t.Fatalf("doctor: exit code %d, %v, want a report\n%s%s", code, err, out.String(), faults.String())
	}
	looked := map[string]bool{}
	for _, c := range report.Checks {
		looked[c.ID] = c.Status == engine.OK
		if c.Status == engine.Fail || c.Status == engine.Warn {
			l.t.Errorf("doctor's check %s: got %s: %s, want no fault and no warning", c.ID, c.Status, c.Seen)
		}
	}
	for _, id := range judged {
		if !looked[id] {
			l.t.Errorf("doctor's check %s is not ok", id)
		}
	}
	if code != 0 {
		l.t.Errorf("doctor: got exit code %d, want 0\n%s", code, faults.String())
	}
}
