// Package archive builds the container images of matrixrtc-auth as files that a
// container engine can load. It needs no container engine itself. It compiles
// the program for each platform and packs it as the Dockerfile does. The same
// source and the same version of Go always give the same bytes.
package archive

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Build builds the images of one version.
type Build struct {
	Source  string // the folder of the program's source
	Version string
	created time.Time // SOURCE_DATE_EPOCH, or else the time of the newest commit; zero if both are unknown
}

// versionForm matches a version that may be part of an image tag and of a file
// name.
var versionForm = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}$`)

// New returns a Build of the source in a folder. If version is empty, New reads
// it from the file VERSION.
func New(ctx context.Context, source, version string) (*Build, error) {
	number, err := os.ReadFile(filepath.Join(source, "VERSION"))
	if err != nil {
		return nil, fmt.Errorf("%s is not the folder of the program's source: %w", source, err)
	}
	if version == "" {
		version = strings.TrimSpace(string(number))
	}
	if !versionForm.MatchString(version) {
		return nil, fmt.Errorf("%q cannot be the version of an image: use letters and digits, and between them also . _ -", version)
	}
	created, err := sourceTime(ctx, source)
	return &Build{Source: source, Version: version, created: created}, err
}

// sourceTime returns the time in SOURCE_DATE_EPOCH, in seconds since 1970. If
// this variable is not set, sourceTime returns the time of the newest commit.
// If both are unknown, it returns the zero time. It never returns the current
// time, because then each build would give a different image.
func sourceTime(ctx context.Context, source string) (time.Time, error) {
	text, isSet := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !isSet {
		out, err := exec.CommandContext(ctx, "git", "-C", source, "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, nil
		}
		text = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is not a number of seconds", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// Tag returns the name of the images, with the version as the tag.
func (b *Build) Tag() string { return "matrixrtc-auth:" + b.Version }

// FileName returns the name of the file with the image for p.
func (b *Build) FileName(p Platform) string {
	return fmt.Sprintf("matrixrtc-auth-%s-%s.tar", b.Version, p.Name)
}

// Write compiles the program for p, writes its image to path, and returns the
// file's size in bytes. After an error there is no file.
func (b *Build) Write(ctx context.Context, p Platform, path string) (size int64, err error) {
	program, err := b.Compile(ctx, p)
	if err != nil {
		return 0, err
	}
	return b.Pack(p, program, path)
}

// Pack writes the image of a compiled program to path, and returns the file's
// size in bytes.
func (b *Build) Pack(p Platform, program []byte, path string) (size int64, err error) {
	img, err := b.image(p, program)
	if err != nil {
		return 0, err
	}
	return b.save(img, path)
}

// save writes img to path, and returns the file's size in bytes.
func (b *Build) save(img v1.Image, path string) (size int64, err error) {
	tag, err := name.NewTag(b.Tag())
	if err != nil {
		return 0, err
	}
	unfinished := path + ".part"
	defer os.Remove(unfinished)
	if err := tarball.WriteToFile(unfinished, tag, img); err != nil {
		return 0, err
	}
	info, err := os.Stat(unfinished)
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(unfinished, path)
}

// Compile compiles the program for p with the same command as the Dockerfile,
// and returns the compiled program. environment holds additional settings of
// the go command, as NAME=value.
func (b *Build) Compile(ctx context.Context, p Platform, environment ...string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "matrixrtc-auth-image")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	settings, err := Environment(ctx)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w -X main.version="+b.Version, "-o", path, ".")
	cmd.Dir = b.Source
	cmd.Env = slices.Concat(settings, []string{"GOOS=" + p.OS, "GOARCH=" + p.goArch, "GOARM=" + p.goARM}, environment)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compiling for %s: %w\n%s", p.Name, err, bytes.TrimSpace(out))
	}
	return os.ReadFile(path)
}
