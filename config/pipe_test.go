//go:build unix

package config_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"matrixrtc-auth/config"
)

// TestLoadWaitsForNoPipe checks that a pipe in place of a file is a fault. If
// Load read the pipe, the test would never end.
func TestLoadWaitsForNoPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	setenv(t, minimal().with(vars{"LIVEKIT_CA_FILE": pipe}))
	_, _, err := config.Load()
	if list := faults(t, err); len(list) != 1 || !strings.Contains(list[0].Problem, "not a regular file") {
		t.Errorf("got %v, want one fault", err)
	}
}
