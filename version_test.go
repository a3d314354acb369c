package main_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestVersion checks every file that names the program's version. The version
// must be the one in the file VERSION. CHANGELOG.md may begin with a newer
// version.
func TestVersion(t *testing.T) {
	version := strings.TrimSpace(read(t, "VERSION"))
	newest := regexp.MustCompile(`(?m)^## \S+`).FindAllString(read(t, "CHANGELOG.md"), 2)
	if !slices.Contains(newest, "## "+version) {
		t.Errorf("the changelog begins with: got %q, want VERSION, %s, among them", newest, version)
	}
	named := 0
	mention := regexp.MustCompile(`\bmatrixrtc-auth[:-](\d+\.\d+\.\d+)`)
	for _, file := range append(pages(t), "compose.yaml") {
		for _, match := range mention.FindAllStringSubmatch(read(t, file), -1) {
			named++
			if match[1] != version && file != "CHANGELOG.md" {
				t.Errorf("%s: got %s, want VERSION, %s", file, match[0], version)
			}
		}
	}
	if named < 5 {
		t.Errorf("places that name the image's version: got %d, want 5 at least", named)
	}
}

// TestGoVersion checks every place that names a version of Go. All of them must
// name the version in go.mod. The test also checks that govulncheck runs in CI.
func TestGoVersion(t *testing.T) {
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+\.\d+)$`).FindStringSubmatch(read(t, "go.mod"))
	if version == nil {
		t.Fatal("go.mod: got no release of Go, want the line \"go 1.N.P\"")
	}
	for file, want := range map[string]string{
		"e2e/go.mod":                     "\ngo " + version[1] + "\n",
		"bench/go.mod":                   "\ngo " + version[1] + "\n",
		"deploy/go.mod":                  "\ngo " + version[1] + "\n",
		"deploy/helm/go.mod":             "\ngo " + version[1] + "\n",
		"image/go.mod":                   "\ngo " + version[1] + "\n",
		"internal/protoyaml/go.mod":      "\ngo " + version[1] + "\n",
		".github/govulncheck/go.mod":     "\ngo " + version[1] + "\n",
		".github/actionlint/go.mod":      "\ngo " + version[1] + "\n",
		".github/cyclonedx-gomod/go.mod": "\ngo " + version[1] + "\n",
		"Dockerfile":                     " golang:" + version[1] + " AS build\n",
		"e2e/stack/image.go":             `"docker.io/library/golang:` + version[1] + `"`,
		"README.md":                      "[Go](https://go.dev/dl/) " + version[1] + " or newer",
		"docs/synology.md":               "[Go](https://go.dev/dl/) " + version[1] + " or newer",
	} {
		t.Run(file, func(t *testing.T) {
			if !strings.Contains(read(t, file), want) {
				t.Errorf("%s: got no %q, want it: go.mod is for %s", file, want, version[1])
			}
		})
	}
	if !strings.Contains(read(t, ".github/workflows/ci.yml"), "govulncheck ./...") {
		t.Error("ci.yml does not run govulncheck ./..., want it")
	}
}
