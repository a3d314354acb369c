package main_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// importsOf returns the imports of each package of this module. For packages of
// this module, it uses the path below the module's path. It leaves out imports
// of tests.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: got %v, want no error", err)
	}
	imports := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for i := range fields {
			fields[i] = strings.TrimPrefix(fields[i], "matrixrtc-auth/")
		}
		imports[fields[0]] = fields[1:]
	}
	return imports
}

// TestImportsRunDown checks that only the allowed packages import service,
// setup, handler, access and membership.
func TestImportsRunDown(t *testing.T) {
	imports := importsOf(t)
	for imported, allowed := range map[string][]string{
		"service":    {"matrixrtc-auth"},
		"setup":      {"matrixrtc-auth"},
		"handler":    {"service"},
		"access":     {"service", "handler"},
		"membership": {"service", "access"},
	} {
		t.Run(imported, func(t *testing.T) {
			if _, ok := imports[imported]; !ok {
				t.Errorf("got no package %s, want it", imported)
			}
			for importer, list := range imports {
				if slices.Contains(list, imported) && !slices.Contains(allowed, importer) {
					t.Errorf("got %s as an importer of %s, want %q alone", importer, imported, allowed)
				}
			}
		})
	}
}

// TestDoctorImportsRunDown checks that package doctor imports its packages
// engine and instruments. engine and instruments must not import each other or
// doctor.
func TestDoctorImportsRunDown(t *testing.T) {
	imports := importsOf(t)
	for _, part := range []string{"doctor/engine", "doctor/instruments"} {
		if !slices.Contains(imports["doctor"], part) {
			t.Errorf("doctor's imports: got %q, want %s among them", imports["doctor"], part)
		}
		for _, imported := range imports[part] {
			if _, ours := imports[imported]; ours && !strings.HasPrefix(imported, "internal/") {
				t.Errorf("%s: got the import %s, want none of ours outside internal/", part, imported)
			}
		}
	}
	for _, sends := range []string{"net/http", "net", "crypto/tls"} {
		if slices.Contains(imports["doctor/engine"], sends) {
			t.Errorf("doctor/engine: got the import %s, want nothing that sends", sends)
		}
	}
}

// TestConfigKnowsNoLiveKit checks that package config does not depend on
// LiveKit's protocol. Some programs need only the configuration, like the tests
// of the chart. Such programs can be built without LiveKit's dependencies.
func TestConfigKnowsNoLiveKit(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./config").Output()
	if err != nil {
		t.Fatalf("go list: got %v, want no error", err)
	}
	if !strings.Contains(string(out), "matrixrtc-auth/internal/apikey") {
		t.Errorf("got the dependencies of config\n%s, want internal/apikey among them", out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "github.com/livekit/") {
			t.Errorf("what config needs: got %s, want nothing of LiveKit", line)
		}
	}
}

// TestCoreKnowsNoHTTP checks that the packages that make decisions do not
// import net/http. It also checks that the lowest packages import no other
// packages of this module, except those in internal/.
func TestCoreKnowsNoHTTP(t *testing.T) {
	imports := importsOf(t)
	for _, core := range []string{"access", "membership", "token", "leave"} {
		if slices.Contains(imports[core], "net/http") {
			t.Errorf("%s: got the import net/http, want none: HTTP is the handler's", core)
		}
	}
	for _, bottom := range []string{"matrix", "sfu"} {
		for _, imported := range imports[bottom] {
			if _, ours := imports[imported]; ours && !strings.HasPrefix(imported, "internal/") {
				t.Errorf("%s: got the import %s, want none of ours outside internal/", bottom, imported)
			}
		}
	}
}
