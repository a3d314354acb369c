package setup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// standInGo puts a stand-in for the go command first in PATH. The stand-in
// writes text into the image file, where the real command writes an image. If
// text is "fail", the stand-in fails.
func standInGo(t *testing.T, text string) {
	t.Helper()
	script := `#!/bin/sh
[ "$1 $2 $4 $5 $7 $9" = "run -C . -source -arch -out" ] || { echo "arguments: $*"; exit 3; }
[ "` + text + `" != fail ] || { echo "no place on the disk"; exit 1; }
read -r version <"$6/VERSION"
arch=$8
shift 9
echo "` + text + `" >"$1/matrixrtc-auth-$version-$arch.tar"
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

// versionOf returns the version in the repository's file VERSION.
func versionOf(t *testing.T) string {
	t.Helper()
	version, err := source{".."}.version()
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// TestImageArch makes a real image for this machine's processor.
func TestImageArch(t *testing.T) {
	arch := runtime.GOARCH
	if arch == "arm" {
		arch = "armv7"
	}
	l := newLab(t)
	l.run(exitOK, "--image-arch", arch)
	name := "matrixrtc-auth-" + versionOf(t) + "-" + arch + ".tar"
	l.says(l.out, name, "new", "MB")
	l.says(l.out, "docker load -i "+name)
	f, err := os.Open(l.path(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s: got no manifest.json, want one", name)
		} else if err != nil {
			t.Fatal(err)
		}
		if h.Name != "manifest.json" {
			continue
		}
		manifest, err := io.ReadAll(r)
		if want := `"matrixrtc-auth:` + versionOf(t) + `"`; err != nil || !strings.Contains(string(manifest), want) {
			t.Errorf("the manifest is %s (%v), want the name of compose.yaml, %s", manifest, err, want)
		}
		return
	}
}

// TestImageAgain checks a second run with --image-arch. If the second image is
// the same, the file stays. If it differs, setup replaces the file, and the
// steps say to load the image again. No partly written file stays.
func TestImageAgain(t *testing.T) {
	l, name := newLab(t), "matrixrtc-auth-"+versionOf(t)+"-arm64.tar"
	standInGo(t, "one")
	l.run(exitOK, "--image-arch", "aarch64")
	l.says(l.out, name, "new")
	l.write("."+name+"."+strings.Repeat("A", 26), "half a file")
	l.run(exitOK, "--image-arch", "arm64")
	l.says(l.out, name, "unchanged")
	l.says(l.out, "Nothing has changed.")
	standInGo(t, "two")
	l.run(exitOK, "--image-arch", "arm64")
	l.says(l.out, name, "updated")
	l.says(l.out, "If the project runs already")
	if got := l.read(name); got != "two\n" {
		t.Errorf("%s: got %q, want %q", name, got, "two\n")
	}
	for _, name := range l.list() {
		if strings.HasSuffix(name, "AAAA") {
			t.Errorf("got the file %s, want no unfinished image", name)
		}
	}
}

// TestNoImage checks that setup names each reason why it cannot make an image,
// with the remedy, and writes nothing.
func TestNoImage(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(t *testing.T, l *lab)
		args    string
		code    int
		says    []string
	}{
		"no Go":     {func(t *testing.T, _ *lab) { t.Setenv("PATH", t.TempDir()) }, "--image-arch arm64", exitUsage, []string{"--image-arch:", "go.dev/dl", "leave --image-arch out"}},
		"processor": {nil, "--image-arch mips", exitUsage, []string{"--image-arch:", `"mips"`, "amd64, arm64 or armv7", "uname -m"}},
		"two ways":  {nil, "--image-arch arm64 --image a:1", exitUsage, []string{"--image-arch", "--image and --source"}},
		"fails":     {func(t *testing.T, _ *lab) { standInGo(t, "fail") }, "--image-arch arm64", exitFaults, []string{"--image-arch:", "could not be made (exit status 1)"}},
		"a folder": {func(t *testing.T, l *lab) {
			standInGo(t, "one")
			l.write("keep", "")
			if err := os.Mkdir(l.path("matrixrtc-auth-"+versionOf(t)+"-arm64.tar"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, "--image-arch arm64", exitFaults, []string{"-arm64.tar is not a regular file", "remove it"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			if test.prepare != nil {
				test.prepare(t, l)
			}
			l.run(test.code, strings.Fields(test.args)...)
			l.says(l.err, test.says...)
			if _, err := os.Stat(l.path("compose.yaml")); err == nil {
				t.Error("setup wrote something, want nothing")
			}
		})
	}
}

// TestFailureShowsOutput checks that the error contains the last lines of the
// go command's output.
func TestFailureShowsOutput(t *testing.T) {
	standInGo(t, "fail")
	l := newLab(t)
	l.run(exitFaults, "--image-arch", "arm64")
	l.says(l.err, "no place on the disk")
	long := strings.Repeat("line\n", 100) + "the end\n"
	if got := strings.Split(lastLines([]byte(long), 3), "\n"); len(got) != 3 || got[2] != "the end" {
		t.Errorf("lastLines(%d bytes, 3): got %q, want 3 lines, the last one \"the end\"", len(long), got)
	}
}

// TestImageInterrupted checks that setup writes nothing if it is interrupted
// while it compiles.
func TestImageInterrupted(t *testing.T) {
	standInGo(t, "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (source{".."}).makeImage(ctx, "arm64", t.TempDir()); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v, want that it was interrupted", err)
	}
}

// TestFindSource checks that setup finds the source in the working directory or
// a parent of it, and refuses a source of another version.
func TestFindSource(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "a", "b")
	for name, content := range map[string]string{
		"go.mod": "module matrixrtc-auth\n\ngo 1.26\n", "image/go.mod": "module matrixrtc-auth/image\r\n", "VERSION": "9.9.9\n", "a/b/keep": "",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(below)
	got, found := findSource()
	if same, err := sameFile(got.dir, root); !found || err != nil || !same {
		t.Errorf("got %q, %v (%v), want %q", got.dir, found, err, root)
	}
	if err := got.is("matrixrtc-auth:1.0.0"); err == nil || !strings.Contains(err.Error(), "has version 9.9.9, and this program 1.0.0") {
		t.Errorf("another version: got %v, want an error with both versions", err)
	}
	if err := got.is("matrixrtc-auth:9.9.9"); err != nil {
		t.Errorf("the same version: got %v, want no error", err)
	}
	if err := os.Remove(filepath.Join(root, "image", "go.mod")); err != nil {
		t.Fatal(err)
	}
	if got, found := firstSource(withParents(below)); found {
		t.Errorf("a folder without the module image: got the source %q, want none", got.dir)
	}
	if err := missing(false); err == nil || !strings.Contains(err.Error(), `run "go run . setup" in the folder of the source`) {
		t.Errorf("without a source: got %v, want where to run it", err)
	}
	if got, found := firstSource([]string{compiledIn()}); !found {
		t.Errorf("the source that this was compiled from: got %q, %v, want it found", got.dir, found)
	}
}

func sameFile(a, b string) (bool, error) {
	one, err := os.Stat(a)
	two, err2 := os.Stat(b)
	return os.SameFile(one, two), errors.Join(err, err2)
}

// TestImageIsAskedFor checks the question for the processor. setup refuses the
// first answer, because it makes no images for that processor. setup accepts
// the second answer, another name of the processor armv7.
func TestImageIsAskedFor(t *testing.T) {
	standInGo(t, "one")
	l := newLab(t)
	answers := []string{l.dir, "example.org", "n", "", "", "", "", "n", "mips", "armv7l"}
	out, said := l.talk(t.Context(), exitOK, strings.NewReader(strings.Join(answers, "\n")+"\n"))
	l.says(said, "Processor of the machine")
	l.says(said, `no image for the processor "mips"`)
	l.says(out, fmt.Sprintf("docker load -i matrixrtc-auth-%s-armv7.tar", versionOf(t)))
}

// TestNobodyIsAskedInVain checks that setup does not ask for the processor if
// this machine has no Go.
func TestNobodyIsAskedInVain(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	l := newLab(t)
	answers := []string{l.dir, "example.org", "n", "", "", "", "", "n"}
	_, said := l.talk(t.Context(), exitOK, strings.NewReader(strings.Join(answers, "\n")+"\n"))
	if strings.Contains(said, "Processor") {
		t.Errorf("setup without Go on the PATH: got\n%s\nwant no question about the processor", said)
	}
}

// TestProcessors checks that setup and the module image have the same names of
// processors.
func TestProcessors(t *testing.T) {
	text, err := os.ReadFile("../image/archive/platform.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "var Platforms = ")
	table, _, _ = strings.Cut(table, "\n}\n")
	if rows := strings.Count(table, "\n\t{\""); rows != len(processors) {
		t.Errorf("platforms of the module image: got %d, want the %d that setup knows", rows, len(processors))
	}
	for _, name := range processors {
		if !strings.Contains(table, "\n\t{\""+name+"\", ") {
			t.Errorf("platforms of the module image: got %s\nwant %s among them", table, name)
		}
	}
}
