package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/image/archive"
)

// TestRun makes the release of this source for this machine's processor. It
// checks that the program is static and contains its version, that the SBOM
// names the program's modules, and that the checksums are right.
func TestRun(t *testing.T) {
	folder, notes := filepath.Join(t.TempDir(), "release"), filepath.Join(t.TempDir(), "notes.md")
	args := []string{"-source", "../..", "-out", folder, "-notes", notes, "-arch", "native", "-once"}
	if err := run(t.Context(), args, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	version := strings.TrimSpace(read(t, "../../VERSION"))
	program := "matrixrtc-auth-" + version + "-linux-" + archive.Native()
	image := "matrixrtc-auth-" + version + "-" + archive.Native() + ".tar"
	want := []string{sumsFile, image, program, program + ".cdx.json"}
	if got, err := list(folder); err != nil || !slices.Equal(got, want) {
		t.Fatalf("got the files %q (%v), want %q", got, err, want)
	}
	about, err := buildinfo.ReadFile(filepath.Join(folder, program))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, filepath.Join(folder, program)), version) {
		t.Errorf("the program: got no version %s in it, want it", version)
	}
	checkList(t, filepath.Join(folder, program+".cdx.json"), version, about)
	checkSums(t, folder, len(want)-1)
	if text := read(t, notes); !strings.Contains(read(t, "../../CHANGELOG.md"), "\n## "+version+"\n\n"+text) || len(text) < 20 {
		t.Errorf("the notes are %q, want the section of CHANGELOG.md", text)
	}
}

// checkList compares the SBOM with the modules that the go command finds in the
// program.
func checkList(t *testing.T, path, version string, about *buildinfo.BuildInfo) {
	t.Helper()
	var bom struct {
		BOMFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(read(t, path)), &bom); err != nil {
		t.Fatal(err)
	}
	if c := bom.Metadata.Component; bom.BOMFormat != "CycloneDX" || c.Name != "matrixrtc-auth" || c.Version != version {
		t.Errorf("the SBOM is in the format %s for %+v, want CycloneDX for version %s", bom.BOMFormat, c, version)
	}
	var got, want []string
	for _, c := range bom.Components {
		got = append(got, c.Name+" "+c.Version)
	}
	for _, m := range about.Deps {
		if m.Replace != nil { // the SBOM names the replacement, because the program contains the replacement
			m = m.Replace
		}
		want = append(want, m.Path+" "+m.Version)
	}
	want = append(want, "std "+about.GoVersion)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the list of parts: got\n%q\nwant those of the program\n%q", got, want)
	}
}

// checkSums checks that SHA256SUMS holds the right checksums of the files in
// folder.
func checkSums(t *testing.T, folder string, files int) {
	t.Helper()
	sums := read(t, filepath.Join(folder, sumsFile))
	if err := errors.Join(os.Remove(filepath.Join(folder, sumsFile)), writeSums(folder)); err != nil {
		t.Fatal(err)
	}
	if again := read(t, filepath.Join(folder, sumsFile)); sums != again || strings.Count(sums, "\n") != files {
		t.Errorf("the checksums are\n%s\nwant %d, which are\n%s", sums, files, again)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// folderOf returns a new folder with the given files: a map from a file's name to its
// content.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCompare(t *testing.T) {
	one := map[string]string{"a": "1", "b": "2"}
	for name, test := range map[string]struct {
		two  map[string]string
		want string // part of the error's text; "" if the test wants no error
	}{
		"same":    {map[string]string{"a": "1", "b": "2"}, ""},
		"differs": {map[string]string{"a": "1", "b": "3"}, "b differs"},
		"longer":  {map[string]string{"a": "11", "b": "2"}, "a differs"},
		"missing": {map[string]string{"a": "1"}, `"a" "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := compare(folderOf(t, one), folderOf(t, test.two))
			switch {
			case test.want == "" && (err != nil || n != 2):
				t.Errorf("got %d, %v, want 2 equal files", n, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestReleaseNotes checks that there are no release notes if CHANGELOG.md has
// no text about the version. If there is a tag, the tag must name the version,
// and the version's section must be the first one in CHANGELOG.md.
func TestReleaseNotes(t *testing.T) {
	const changelog = "# Changelog\n\n## 1.3.0\n\n- new\n\n## 1.2.0\r\n\r\n- old\r\n- older\r\n\n## 1.1.0\n\n"
	for name, test := range map[string]struct{ version, tag, notes, fault string }{
		"newest":                  {"1.3.0", "", "- new\n", ""},
		"older, without a tag":    {"1.2.0", "", "- old\n- older\n", ""},
		"newest, with its tag":    {"1.3.0", "v1.3.0", "- new\n", ""},
		"tag of another":          {"1.3.0", "v1.2.0", "", "the tag must be v1.3.0"},
		"tag of an older version": {"1.2.0", "v1.2.0", "", "CHANGELOG.md begins with 1.3.0"},
		"empty section":           {"1.1.0", "", "", "has no text about version 1.1.0"},
		"no section":              {"1.0.0", "", "", "has no text about version 1.0.0"},
		"beginning of a number":   {"1.3", "", "", "has no text about version 1.3"},
	} {
		t.Run(name, func(t *testing.T) {
			source := folderOf(t, map[string]string{"CHANGELOG.md": changelog})
			notes, err := releaseNotes(source, test.version, test.tag)
			if notes != test.notes || (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
				t.Errorf("got %q, %v, want %q, %q", notes, err, test.notes, test.fault)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	lacking := folderOf(t, map[string]string{"VERSION": "1.2.3\n", "CHANGELOG.md": "## 1.2.2\n\n- a\n"})
	bare := folderOf(t, map[string]string{"VERSION": "1.2.3\n", "CHANGELOG.md": "## 1.2.3\n\n- a\n"})
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"processor":    {[]string{"-source", "../..", "-arch", "mips"}, `no image for the processor "mips"`},
		"no source":    {[]string{"-source", t.TempDir()}, "is not the folder of the program's source"},
		"no section":   {[]string{"-source", lacking}, "CHANGELOG.md has no text about version 1.2.3"},
		"no tool":      {[]string{"-source", bare}, "cyclonedx-gomod, which lists the modules"},
		"no such flag": {[]string{"-tga", "v1"}, "-tga"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"-out", filepath.Join(t.TempDir(), "release")}, test.args...)
			if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: got %v, want %q", test.args, err, test.want)
			}
		})
	}
}

// TestNames checks that the program of each platform has its own name, and that
// docs/release.md lists all these names.
func TestNames(t *testing.T) {
	r, page := &release{Build: &archive.Build{Version: "1.2.3"}}, read(t, "../../docs/release.md")
	var got []string
	for _, p := range slices.Concat(archive.Platforms, archive.Workstations) {
		got = append(got, r.programName(p))
		name := strings.ReplaceAll(r.programName(p), "1.2.3", "VERSION")
		if p.OS == "linux" {
			name = strings.TrimSuffix(name, p.Name) + "ARCH"
		}
		if !strings.Contains(page, "`"+name+"`") || !strings.Contains(page, p.Name) {
			t.Errorf("docs/release.md: got no %s for %s, want both", name, p.Name)
		}
	}
	want := "matrixrtc-auth-1.2.3-linux-amd64 matrixrtc-auth-1.2.3-linux-arm64 matrixrtc-auth-1.2.3-linux-armv7 matrixrtc-auth-1.2.3-windows-amd64.exe matrixrtc-auth-1.2.3-darwin-arm64"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
