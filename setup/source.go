package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"matrixrtc-auth/internal/smallfile"
)

// source is the folder with this program's source, from which setup makes the
// image.
type source struct{ dir string }

// findSource looks for the source in the working directory, in its parents, and
// in the folder in which this program was compiled. A program that was compiled
// with the option -trimpath does not know that folder.
func findSource() (source, bool) {
	var dirs []string
	if dir, err := os.Getwd(); err == nil {
		dirs = withParents(dir)
	}
	if dir := compiledIn(); dir != "" {
		dirs = append(dirs, dir)
	}
	return firstSource(dirs)
}

// compiledIn returns the folder of the source from which this program was
// compiled, or "" if it is unknown.
func compiledIn() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return ""
	}
	return filepath.Dir(filepath.Dir(file)) // this file is in the source's subfolder setup
}

// firstSource returns the first of dirs that holds the source of this program (see
// isSource).
func firstSource(dirs []string) (source, bool) {
	for _, dir := range dirs {
		if isSource(dir) {
			return source{dir}, true
		}
	}
	return source{}, false
}

// withParents returns a folder and all its parents.
func withParents(dir string) []string {
	list := []string{dir}
	for parent := filepath.Dir(dir); parent != dir; parent = filepath.Dir(dir) {
		list, dir = append(list, parent), parent
	}
	return list
}

// isSource reports whether dir holds the source of this program, and of the
// program in the folder image.
func isSource(dir string) bool {
	for _, module := range []struct{ folder, name string }{{"", "matrixrtc-auth"}, {"image", "matrixrtc-auth/image"}} {
		content, err := smallfile.Read(filepath.Join(dir, module.folder, "go.mod"))
		if err != nil || !slices.Contains(strings.Split(strings.ReplaceAll(string(content), "\r", ""), "\n"), "module "+module.name) {
			return false
		}
	}
	return true
}

// missing returns an error if this machine cannot make an image. The error says
// what the machine needs, and the remedy. found says whether the source was
// found.
func missing(found bool) error {
	if !found {
		return errors.New("setup makes the image from the source of this program, which it did not find: run \"go run . setup\" in the folder of the source")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("setup needs Go to make the image, but there is no command `go` on this machine: install Go from https://go.dev/dl/")
	}
	return nil
}

// canMakeImages reports whether this machine has everything that is needed to
// make an image.
func canMakeImages() bool {
	_, found := findSource()
	return missing(found) == nil
}

// version returns the version number in the source's file VERSION.
func (s source) version() (string, error) {
	content, err := smallfile.Read(filepath.Join(s.dir, "VERSION"))
	return strings.TrimSpace(string(content)), err
}

// mostOutput is the largest number of lines that setup shows of the go
// command's output.
const mostOutput = 20

// After setup has killed the go command, killDelay is how long it waits for the
// command's child processes to close the output.
const killDelay = 2 * time.Second

// makeImage runs the program in the source's folder image. That program
// compiles matrixrtc-auth for the processor arch, and writes the image file
// into folder.
func (s source) makeImage(ctx context.Context, arch, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "run", "-C", filepath.Join(s.dir, "image"), ".",
		"-source", s.dir, "-arch", arch, "-out", folder)
	cmd.WaitDelay = killDelay
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; nothing was written")
	case err != nil:
		return fmt.Errorf("--image-arch: the image could not be made (%w):\n%s", err, lastLines(out, mostOutput))
	}
	return nil
}

// lastLines returns the last lines of out. The parameter most bounds their
// number.
func lastLines(out []byte, most int) string {
	lines := strings.Split(string(bytes.TrimSpace(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
