package main_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is the part of a file in .github/workflows that the tests compare
// with the repository.
type workflow struct {
	On struct {
		Push struct{ Tags []string }
		Call *struct{} `yaml:"workflow_call"`
	}
	Permissions map[string]string
	Jobs        map[string]job
}

type job struct {
	Uses, Needs string
	Permissions map[string]string
	Steps       []workflowStep
}

type workflowStep struct {
	ID, Uses, Run string
	With          map[string]string
}

// workflows returns all GitHub workflows, by the names of their files.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	paths, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(paths) < 2 {
		t.Fatalf("workflows: got %q, %v, want two at least", paths, err)
	}
	all := map[string]workflow{}
	for _, path := range paths {
		var w workflow
		if err := yaml.Unmarshal([]byte(read(t, path)), &w); err != nil {
			t.Fatalf("%s: got %v, want no error", path, err)
		}
		all[filepath.Base(path)] = w
	}
	return all
}

// TestWorkflowsReadOnly checks that a workflow may only read the repository by
// default. A job that needs other permissions must name them.
func TestWorkflowsReadOnly(t *testing.T) {
	for file, w := range workflows(t) {
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: got the permissions %v, want to read the contents", file, w.Permissions)
		}
	}
}

// TestWorkflowsTakeGoFromModule checks that each step that installs Go takes
// the version from go.mod.
func TestWorkflowsTakeGoFromModule(t *testing.T) {
	for file, w := range workflows(t) {
		for name, j := range w.Jobs {
			installs := 0
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/setup-go@") {
					installs++
					if s.With["go-version-file"] != "go.mod" || s.With["go-version"] != "" {
						t.Errorf("%s, the job %s: got the Go of %v, want that of go.mod", file, name, s.With)
					}
				}
			}
			if installs == 0 && j.Uses == "" {
				t.Errorf("%s, the job %s: got no step that installs Go, want one", file, name)
			}
		}
	}
}

// TestWorkflowsAgreeOnActions checks that all workflows use the same version of
// each action.
func TestWorkflowsAgreeOnActions(t *testing.T) {
	versions := map[string]string{}
	for file, w := range workflows(t) {
		for _, j := range w.Jobs {
			for _, s := range j.Steps {
				if s.Uses == "" {
					continue
				}
				name, version, pinned := strings.Cut(s.Uses, "@")
				if other, seen := versions[name]; !pinned || seen && other != version {
					t.Errorf("%s: got %s, want it pinned, as elsewhere to %q", file, s.Uses, other)
				}
				versions[name] = version
			}
		}
	}
}

// TestMakeTargets checks that the Makefile has every target that the workflows,
// .ci/run and the documents name.
func TestMakeTargets(t *testing.T) {
	makefile := read(t, "Makefile")
	command := regexp.MustCompile(`(?m)(?:^|run: |\()make (?:-s )?([a-z][a-z0-9-]*)`)
	quoted := regexp.MustCompile("`make ([a-z][a-z0-9-]*)[^`]*`")
	in := map[string]*regexp.Regexp{
		".ci/run": command, ".github/workflows/ci.yml": command, ".github/workflows/release.yml": command,
	}
	for _, page := range pages(t) {
		in[page] = quoted
	}
	found := 0
	for file, form := range in {
		t.Run(file, func(t *testing.T) {
			for _, match := range form.FindAllStringSubmatch(read(t, file), -1) {
				found++
				if !strings.Contains(makefile, "\n"+match[1]+": ") {
					t.Errorf("%s: got make %s, want targets that the Makefile has", file, match[1])
				}
			}
		})
	}
	if found < 15 {
		t.Errorf("mentions of make: got %d, want 15 at least", found)
	}
}

// releaseSteps are the steps that the release workflow must have, in this
// order. Each text is the beginning of a step's command, or of the name of its
// action.
var releaseSteps = []string{
	`make release TAG="$TAG"`,
	"docker/login-action@",
	"image=ghcr.io/",
	`cosign sign --yes "$IMAGE@$DIGEST"`,
	"actions/attest-build-provenance@",
	"actions/attest-build-provenance@",
	"cosign sign-blob --yes --bundle build/release/SHA256SUMS.sigstore.json build/release/SHA256SUMS",
	`gh release create "$TAG" --verify-tag`,
}

// TestReleaseWorkflow checks that the release workflow releases a tag only
// after the tests have passed. The workflow builds the files twice, compares the
// results, and must publish these files. It must sign all of them before anybody
// can get them as a release.
func TestReleaseWorkflow(t *testing.T) {
	all := workflows(t)
	w := all["release.yml"]
	j := w.Jobs["release"]
	if !slices.Equal(w.On.Push.Tags, []string{"v*"}) {
		t.Errorf("the tags for which it runs: got %q, want v*", w.On.Push.Tags)
	}
	if j.Needs != "test" || w.Jobs["test"].Uses != "./.github/workflows/ci.yml" || !strings.Contains(read(t, ".github/workflows/ci.yml"), "\n  workflow_call:") {
		t.Errorf("what a release needs: got %q, want the job that runs ci.yml", j.Needs)
	}
	for _, right := range []string{"contents", "packages", "id-token", "attestations"} {
		if j.Permissions[right] != "write" {
			t.Errorf("the release's permissions: got %v, want to write %s", j.Permissions, right)
		}
	}
	checkOrder(t, j.Steps)
	checkProvenance(t, j.Steps)
	if !strings.Contains(read(t, ".github/workflows/release.yml"), "contains(github.ref_name, '-') && '--prerelease' || '--latest'") {
		t.Error("release.yml: got no --prerelease for a version with a hyphen, want it, because otherwise 1.2.3-rc.1 would become the newest release")
	}
}

func checkOrder(t *testing.T, steps []workflowStep) {
	t.Helper()
	left := releaseSteps
	for _, s := range steps {
		if len(left) > 0 && strings.HasPrefix(s.Run+s.Uses, left[0]) {
			left = left[1:]
		}
	}
	if len(left) > 0 {
		t.Errorf("the release's steps: got none, or too late, for %q, want them in this order", left)
	}
}

// checkProvenance checks that the workflow makes a provenance for the image and
// for every file. It also checks that the workflow reads the files and the
// release notes from the paths to which `make release` writes them.
func checkProvenance(t *testing.T, steps []workflowStep) {
	t.Helper()
	var image, files bool
	for _, s := range steps {
		if strings.HasPrefix(s.Uses, "actions/attest-build-provenance@") {
			image = image || s.With["subject-digest"] == "${{ steps.image.outputs.digest }}" && s.With["push-to-registry"] == "true"
			files = files || s.With["subject-path"] == "build/release/*"
		}
	}
	if !image || !files {
		t.Errorf("provenance: got %v for the image and %v for the files, want both", image, files)
	}
	program, workflow := read(t, "image/release/main.go"), read(t, ".github/workflows/release.yml")
	for _, path := range []string{"build/release", "build/release-notes.md"} {
		if !strings.Contains(program, `"../`+path+`"`) || !strings.Contains(workflow, path) {
			t.Errorf("got %s not in both of make release and release.yml, want it in both", path)
		}
	}
}

// TestLintChecksWorkflows checks that `make lint` runs actionlint in the
// version that its module in .github names.
func TestLintChecksWorkflows(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, want := range []string{".github/actionlint/go.mod", "build/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml"} {
		if !strings.Contains(makefile, want) {
			t.Errorf("make lint lacks %s: got %s, want %q in it", want, makefile, want)
		}
	}
}
