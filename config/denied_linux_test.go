package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"matrixrtc-auth/config"
)

// asStranger runs f on a thread that has the file rights of a user who owns
// nothing here. If the test does not run as root, asStranger only calls f,
// because the modes of the files already refuse the test's own user.
func asStranger(t *testing.T, f func()) {
	t.Helper()
	const stranger = 65532
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, err := range []error{syscall.Setfsgid(stranger), syscall.Setfsuid(stranger)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	defer syscall.Setfsgid(0)
	defer syscall.Setfsuid(0)
	f()
}

// closedFile makes a file that belongs to another user. If the test does not
// run as root, it makes a file that nobody may read. closedFile returns the
// path of the file, and a text that describes its owner and mode.
func closedFile(t *testing.T, text string) (path, whose string) {
	t.Helper()
	path = write(t, text)
	owner, group, mode := os.Geteuid(), os.Getegid(), os.FileMode(0)
	if owner == 0 {
		owner, group, mode = 4711, 4712, 0o600
		for dir := filepath.Dir(path); dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, err := range []error{os.Chown(path, owner, group), os.Chmod(path, mode)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path, fmt.Sprintf("uid %d and gid %d with mode %04o", owner, group, mode)
}

// TestLoadDenied checks the fault that Load reports if this program has no
// permission to read a file. The fault must name the owner of the file, the user
// of the program, and the remedy. The test does this for several variables that
// name files.
func TestLoadDenied(t *testing.T) {
	path, whose := closedFile(t, "k: "+goodSecret)
	whose = fmt.Sprintf("permission denied: it belongs to %s, and this program runs as uid %d and gid %d", whose, os.Geteuid(), os.Getegid())
	remedy := fmt.Sprintf("chgrp %d and chmod 0640", os.Getegid())
	for _, variable := range []string{"LIVEKIT_KEY_FILE", "LIVEKIT_SECRET_FROM_FILE", "LIVEKIT_CA_FILE", "LIVEKIT_REDIS_PASSWORD_FROM_FILE"} {
		t.Run(variable, func(t *testing.T) {
			setenv(t, minimal().with(vars{variable: path, "LIVEKIT_REDIS_URL": "redis://redis", "LIVEKIT_STORE": "redis"}))
			var err error
			asStranger(t, func() { _, _, err = config.Load() })
			list := faults(t, err)
			if len(list) != 1 || list[0].Variable != variable || !strings.Contains(list[0].Problem, whose) || !strings.Contains(list[0].Problem, remedy) {
				t.Errorf("%s: got %v, want one fault with %q and %q", variable, err, whose, remedy)
			}
			if shared := strings.Contains(errorText(err), "LiveKit refuses"); shared != (variable == "LIVEKIT_KEY_FILE") {
				t.Errorf("%s: got %v, want a word of LiveKit in that of LIVEKIT_KEY_FILE alone", variable, err)
			}
			if strings.Contains(errorText(err), path) {
				t.Errorf("%s: got %v, want no path in it, which may be a secret", variable, err)
			}
		})
	}
}

// TestLoadDeniedFolder checks the fault if this program may not enter a folder
// on the path to a file.
func TestLoadDeniedFolder(t *testing.T) {
	path, _ := closedFile(t, "k: "+goodSecret)
	dir := filepath.Dir(path)
	owner := os.Geteuid()
	if owner == 0 {
		owner = 4711
	}
	for _, err := range []error{os.Chmod(dir, 0o600), os.Chown(dir, owner, -1)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(dir, 0o700)
	setenv(t, minimal().with(vars{"LIVEKIT_SECRET_FROM_FILE": path}))
	var err error
	asStranger(t, func() { _, _, err = config.Load() })
	const want = "permission denied: a folder on the way to it belongs to uid"
	if list := faults(t, err); len(list) != 1 || !strings.Contains(list[0].Problem, want) || !strings.Contains(list[0].Problem, "chmod 0750 on that folder") {
		t.Errorf("got %v, want one fault with %q", err, want)
	}
}
