package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// build makes the images of one version.
type build struct {
	source  string // the folder of the program's source
	version string
	created time.Time // of the source; zero if nothing says so
}

// versionForm is what may stand in a tag and a file's name.
var versionForm = regexp.MustCompile(`^[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}$`)

// newBuild is of the version that VERSION has, unless another is given.
func newBuild(ctx context.Context, source, version string) (*build, error) {
	number, err := os.ReadFile(filepath.Join(source, "VERSION"))
	if err != nil {
		return nil, fmt.Errorf("%s is not the folder of the program's source: %w", source, err)
	}
	if version == "" {
		version = strings.TrimSpace(string(number))
	}
	if !versionForm.MatchString(version) {
		return nil, fmt.Errorf("%q cannot be the version of an image: letters, digits, and . _ - between them", version)
	}
	created, err := sourceTime(ctx, source)
	return &build{source: source, version: version, created: created}, err
}

// sourceTime is SOURCE_DATE_EPOCH (seconds since 1970), else the time of the
// commit. A source that is no checkout has none: a time that is not the source's
// would make other bytes each time.
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
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %q is no number of seconds", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

func (b *build) tag() string { return "matrixrtc-auth:" + b.version }

func (b *build) fileName(p platform) string {
	return fmt.Sprintf("matrixrtc-auth-%s-%s.tar", b.version, p.name)
}

// write compiles the program, packs it, and returns the file's size in bytes. The
// file is there whole or not at all.
func (b *build) write(ctx context.Context, p platform, path string) (size int64, err error) {
	program, err := b.compile(ctx, p)
	if err != nil {
		return 0, err
	}
	img, err := b.image(p, program)
	if err != nil {
		return 0, err
	}
	return b.save(img, path)
}

// save writes the image as a file, and returns its size in bytes.
func (b *build) save(img v1.Image, path string) (size int64, err error) {
	tag, err := name.NewTag(b.tag())
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

// compile returns the program for p, made by the command of the Dockerfile. (The
// Dockerfile's source is no checkout, so there is no commit in either program.)
func (b *build) compile(ctx context.Context, p platform) ([]byte, error) {
	dir, err := os.MkdirTemp("", "matrixrtc-auth-image")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "program")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w -X main.version="+b.version, "-o", path, ".")
	cmd.Dir = b.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.goArch, "GOARM="+p.goARM, "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compiling for %s: %w\n%s", p.name, err, bytes.TrimSpace(out))
	}
	return os.ReadFile(path)
}
