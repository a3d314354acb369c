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

// source is the folder of this program's source, from which the image is made.
type source struct{ dir string }

// findSource looks in the working directory, in the folders above it, and where
// this program was compiled. (A program that was built with -trimpath does not
// know the last one.)
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

// compiledIn is the folder of the source that this program was compiled from, or
// "" when the program does not know it.
func compiledIn() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return ""
	}
	return filepath.Dir(filepath.Dir(file)) // it is in the folder setup
}

// firstSource is the first of the folders that holds the source.
func firstSource(dirs []string) (source, bool) {
	for _, dir := range dirs {
		if isSource(dir) {
			return source{dir}, true
		}
	}
	return source{}, false
}

// withParents are the folder and all above it.
func withParents(dir string) []string {
	list := []string{dir}
	for parent := filepath.Dir(dir); parent != dir; parent = filepath.Dir(dir) {
		list, dir = append(list, parent), parent
	}
	return list
}

// isSource reports whether the folder holds the source with all that makes an
// image.
func isSource(dir string) bool {
	for _, module := range []struct{ folder, name string }{{"", "matrixrtc-auth"}, {"image", "matrixrtc-auth/image"}} {
		content, err := smallfile.Read(filepath.Join(dir, module.folder, "go.mod"))
		if err != nil || !slices.Contains(strings.Split(strings.ReplaceAll(string(content), "\r", ""), "\n"), "module "+module.name) {
			return false
		}
	}
	return true
}

// missing says what an image cannot be made without, and what to do about it; it
// is nil when all is there. found says whether the source is.
func missing(found bool) error {
	if !found {
		return errors.New("the image is made from the source of this program, which is not here: run \"go run . setup\" in the source")
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("compiling takes Go, and there is no command go here: install it from https://go.dev/dl/")
	}
	return nil
}

// canMakeImages reports whether this machine has all that an image is made from.
func canMakeImages() bool {
	_, found := findSource()
	return missing(found) == nil
}

// version is the number in the source's VERSION.
func (s source) version() (string, error) {
	content, err := smallfile.Read(filepath.Join(s.dir, "VERSION"))
	return strings.TrimSpace(string(content)), err
}

// mostOutput bounds how many lines of the go command's output are shown.
const mostOutput = 20

// killDelay is how long the go command's own children, which have its output,
// are waited for once it has been ended.
const killDelay = 2 * time.Second

// makeImage has the module image compile and pack the program for one kind of
// processor, and write the file into folder.
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

// lastLines is the end of an output.
func lastLines(out []byte, most int) string {
	lines := strings.Split(string(bytes.TrimSpace(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
