package archive

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvironment checks that this machine's Go settings do not change the
// compiled program. The settings can be environment variables or come from `go
// env -w`. Environment must keep the settings that say where modules come from.
func TestEnvironment(t *testing.T) {
	const elsewhere = "https://proxy.example.org"
	foreign := []string{"GOFLAGS=-race", "GOEXPERIMENT=jsonv2", "GOFIPS140=latest", "GOAMD64=v3", "GOARM64=v9.0", "CGO_ENABLED=1"}
	for name, set := range map[string]func(t *testing.T){
		"in variables": func(t *testing.T) {
			for _, setting := range foreign {
				variable, value, _ := strings.Cut(setting, "=")
				t.Setenv(variable, value)
			}
			t.Setenv("GOPROXY", elsewhere)
		},
		"by go env -w": func(t *testing.T) {
			for _, setting := range append([]string{"GOPROXY="}, foreign...) {
				variable, _, _ := strings.Cut(setting, "=")
				t.Setenv(variable, "")
			}
			file := filepath.Join(t.TempDir(), "env")
			if err := os.WriteFile(file, []byte(strings.Join(foreign, "\n")+"\nGOPROXY="+elsewhere+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Setenv("GOENV", file)
		},
	} {
		t.Run(name, func(t *testing.T) {
			set(t)
			checkEnvironment(t, elsewhere)
		})
	}
}

func checkEnvironment(t *testing.T, proxy string) {
	t.Helper()
	settings, err := Environment(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "env", "GOFLAGS", "GOEXPERIMENT", "GOFIPS140", "GOAMD64", "GOARM64", "CGO_ENABLED", "GOPROXY")
	cmd.Env = settings
	out, err := cmd.Output()
	if want := "\n\noff\nv1\nv8.0\n0\n" + proxy + "\n"; err != nil || string(out) != want {
		t.Errorf("go env says %q (%v), want %q", out, err, want)
	}
}
