package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"matrixrtc-auth/image/archive"
)

// sumsFile is the name of the file with the checksums. `sha256sum --check` can
// read this file.
const sumsFile = "SHA256SUMS"

// release builds the files of one version.
type release struct {
	*archive.Build
	platforms   []archive.Platform
	lister      string   // the path of the program cyclonedx-gomod
	environment []string // additional settings of the go command, as NAME=value
	out         io.Writer
}

// make writes the files of the release into folder. It first removes everything
// from folder.
func (r *release) make(ctx context.Context, folder string) error {
	if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o755)); err != nil {
		return err
	}
	for _, p := range r.platforms {
		fmt.Fprintf(r.out, "== %s %s\n", p.OS, p.Architecture+p.Variant)
		if err := r.makeFor(ctx, p, folder); err != nil {
			return err
		}
	}
	return writeSums(folder)
}

// makeFor writes the files of one platform. They are the program, its SBOM, and
// an image if the platform has images.
func (r *release) makeFor(ctx context.Context, p archive.Platform, folder string) error {
	program, err := r.Compile(ctx, p, r.environment...)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, r.programName(p))
	if err := os.WriteFile(path, program, 0o755); err != nil {
		return err
	}
	if err := r.list(ctx, path); err != nil {
		return err
	}
	if p.OS != "linux" {
		return nil
	}
	_, err = r.Pack(p, program, filepath.Join(folder, r.FileName(p)))
	return err
}

func (r *release) programName(p archive.Platform) string {
	switch p.OS {
	case "linux":
		return fmt.Sprintf("matrixrtc-auth-%s-linux-%s", r.Version, p.Name)
	case "windows":
		return fmt.Sprintf("matrixrtc-auth-%s-%s.exe", r.Version, p.Name)
	}
	return fmt.Sprintf("matrixrtc-auth-%s-%s", r.Version, p.Name)
}

// list writes the SBOM of a program to a file in the program's folder. The SBOM
// has no serial number and no time, so the same program always has the same
// SBOM.
func (r *release) list(ctx context.Context, path string) error {
	name := strings.TrimSuffix(path, ".exe") + ".cdx.json"
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	// The command runs in the folder of the source, because Go finds all modules
	// from that folder.
	return command(ctx, r.Source, r.lister, "bin", "-json", "-noserial", "-notimestamp", "-std", "-licenses",
		"-version", r.Version, "-output", absolute, path)
}

// buildLister compiles the program cyclonedx-gomod. The module in .github says
// which version. Each SBOM contains the checksum of cyclonedx-gomod, so
// compiling it must always give the same bytes.
func buildLister(ctx context.Context, source, folder string) (string, error) {
	source, err := filepath.Abs(source)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "cyclonedx-gomod")
	err = command(ctx, source, "go", "build", "-trimpath", "-buildvcs=false",
		"-modfile", filepath.Join(source, ".github", "cyclonedx-gomod", "go.mod"), "-o", path,
		"github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod")
	if err != nil {
		return "", fmt.Errorf("compiling cyclonedx-gomod, which lists the modules: %w", err)
	}
	return path, nil
}

// command runs a program in a folder. It does not pass on this machine's Go
// settings if they would change a compiled program.
func command(ctx context.Context, folder, name string, args ...string) (err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	if cmd.Env, err = archive.Environment(ctx); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// writeSums writes the checksum of every file in the folder to [sumsFile].
func writeSums(folder string) error {
	names, err := list(folder)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(content), name)
	}
	return os.WriteFile(filepath.Join(folder, sumsFile), []byte(b.String()), 0o644)
}

// list returns the names of the files in a folder, sorted.
func list(folder string) (names []string, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// compare returns the number of files in each of two equal folders. It returns
// an error if a file differs or is in only one of the folders.
func compare(one, two string) (n int, err error) {
	names, err1 := list(one)
	others, err2 := list(two)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if !slices.Equal(names, others) {
		return 0, fmt.Errorf("the first build made the files %q, the second one made %q", names, others)
	}
	for _, name := range names {
		a, err1 := os.ReadFile(filepath.Join(one, name))
		b, err2 := os.ReadFile(filepath.Join(two, name))
		err = errors.Join(err, err1, err2)
		if !bytes.Equal(a, b) {
			err = errors.Join(err, fmt.Errorf("%s differs between the two builds", name))
		}
	}
	return len(names), err
}
