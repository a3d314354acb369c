package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

const (
	serviceFile = "matrixrtc-auth.service"
	socketFile  = "matrixrtc-auth.socket"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// settings returns all values that a unit gives to a setting. name is the name
// of the setting.
func settings(unit, name string) (values []string) {
	for _, line := range regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1) {
		values = append(values, line[1])
	}
	return values
}

// installed returns a root directory with the units and the program at their
// usual paths.
func installed(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	// Our units refer to units that every system has. So the test copies the
	// system's units into root, too.
	if err := os.CopyFS(filepath.Join(root, "usr/lib/systemd/system"), os.DirFS("/usr/lib/systemd/system")); err != nil {
		t.Fatal(err)
	}
	for _, file := range []struct {
		from, to string
		mode     os.FileMode
	}{
		{serviceFile, "etc/systemd/system/" + serviceFile, 0o644},
		{socketFile, "etc/systemd/system/" + socketFile, 0o644},
		{os.Args[0], "usr/local/bin/matrixrtc-auth", 0o755}, // only the path of the program matters, not its content
	} {
		name := filepath.Join(root, file.to)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(read(t, file.from)), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestVerify checks that systemd reports no fault of the units.
func TestVerify(t *testing.T) {
	root := installed(t)
	for _, unit := range []string{serviceFile, socketFile} {
		t.Run(unit, func(t *testing.T) {
			out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--root="+root, unit).CombinedOutput()
			if ours := about(string(out)); err != nil || ours != "" {
				t.Errorf("systemd-analyze verify %s: got %v\n%s\nwant nothing to say", unit, err, out)
			}
		})
	}
}

// about returns the lines of systemd's report that name our units. Other units
// of this machine may have faults.
func about(out string) string {
	lines := slices.DeleteFunc(strings.Split(out, "\n"), func(line string) bool { return !strings.Contains(line, "matrixrtc-auth") })
	return strings.Join(lines, "\n")
}

// TestVerifyFinds checks that `systemd-analyze verify` finds a wrong setting in
// a unit.
func TestVerifyFinds(t *testing.T) {
	root := installed(t)
	unit := filepath.Join(root, "etc/systemd/system", serviceFile)
	if err := os.WriteFile(unit, []byte(strings.Replace(read(t, serviceFile), "ProtectSystem=", "ProtectsSystem=", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command("systemd-analyze", "verify", "--man=no", "--root="+root, serviceFile).CombinedOutput()
	if !strings.Contains(about(string(out)), "ProtectsSystem") {
		t.Errorf("systemd-analyze verify of a setting that does not exist: got %q, want its name, ProtectsSystem", out)
	}
}

// TestExposure checks systemd's security score of the unit. A low score means
// that an attacker who controls the service can reach little of the system.
func TestExposure(t *testing.T) {
	const most = "15" // 1.5 on systemd's scale from 0 to 10
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+most, serviceFile).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: got %v\n%s, want no error", err, out)
	}
	total := regexp.MustCompile(`Overall exposure level for \S+: [\d.]+`).Find(out)
	if total == nil {
		t.Fatalf("systemd-analyze security: got\n%s\nwant a level", out)
	}
	t.Logf("%s", total)
}

// TestCredentials checks that the unit puts no secret into the environment.
// Each credential must belong to a variable that names a file, and the program
// must know every variable.
func TestCredentials(t *testing.T) {
	unit := read(t, serviceFile)
	known := map[string]config.Variable{}
	for _, v := range config.Variables() {
		known[v.Name] = v
	}
	assigned := map[string]string{}
	for _, setting := range settings(unit, "Environment") {
		name, value, _ := strings.Cut(setting, "=")
		if v, ok := known[name]; !ok || v.Secret {
			t.Errorf("Environment=%s: known %v, a secret %v; want a variable that is none", setting, ok, v.Secret)
		}
		assigned[value] = name
	}
	credentials := settings(unit, "LoadCredential")
	for _, credential := range credentials {
		id, _, _ := strings.Cut(credential, ":")
		if name := assigned["%d/"+id]; !strings.HasSuffix(name, "_FILE") {
			t.Errorf("LoadCredential=%s is the file of %q, want a variable that names a file", credential, name)
		}
	}
	if len(credentials) == 0 {
		t.Error("the service gets no credential: got none, want some")
	}
}

// TestSocketIsTheServices checks that the service unit and the socket unit have
// the same address. In the service unit, LIVEKIT_JWT_BIND holds the address,
// because the health check and doctor read this variable.
func TestSocketIsTheServices(t *testing.T) {
	streams := settings(read(t, socketFile), "ListenStream")
	if len(streams) != 1 || !slices.Contains(settings(read(t, serviceFile), "Environment"), "LIVEKIT_JWT_BIND="+streams[0]) {
		t.Errorf("the socket is %q, want one, which LIVEKIT_JWT_BIND names", streams)
	}
}
