package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Builder builds container images with buildah, without a container engine. It needs
// root. All its files are below Dir.
type Builder struct {
	Dir     string
	Buildah string
	Busybox string
}

// Image is a built container image, with its files.
type Image struct {
	Root   string // the directory with the image's files
	Config ImageConfig
}

// ImageConfig is the part of an image's configuration that says how to run a container.
type ImageConfig struct {
	User         string
	Env          []string
	Entrypoint   []string
	ExposedPorts map[string]struct{}
	Labels       map[string]string
	Healthcheck  *Healthcheck
}

// Healthcheck is the command with which a container engine checks whether a container
// is healthy.
type Healthcheck struct {
	Test                           []string
	Interval, Timeout, StartPeriod time.Duration
	Retries                        int
}

// baseName is the name of Go's image, the only image on which the Dockerfile builds.
const baseName = "docker.io/library/golang:1.26.8"

// baseHome is the home directory of root in the image that stands in for Go's image.
// Go's caches are below it. The image has no /etc/passwd, so the environment must name
// the directory.
const baseHome = "/root"

// Build builds the Dockerfile of a repository. It replaces Go's image by one with this
// machine's Go and a shell. It fetches missing Go modules first, because during the
// build Go has no network.
func (b *Builder) Build(ctx context.Context, repository string) (*Image, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("building and running an image needs root: run the tests as root")
	}
	if err := b.base(ctx); err != nil {
		return nil, err
	}
	if _, err := goTool(ctx, "mod", "download", "-C", repository); err != nil {
		return nil, err
	}
	volumes, err := b.caches(ctx)
	if err != nil {
		return nil, err
	}
	arguments := append([]string{"bud", "--pull=never", "--format", "docker", "--tag", "matrixrtc-auth"}, volumes...)
	if _, err := b.run(ctx, append(arguments, repository)...); err != nil {
		return nil, err
	}
	return b.open(ctx, "matrixrtc-auth")
}

// Load reads an image from a file in the format that `docker save` writes.
func (b *Builder) Load(ctx context.Context, path string) (*Image, error) {
	out, err := b.run(ctx, "pull", "--quiet", "docker-archive:"+path)
	if err != nil {
		return nil, err
	}
	return b.open(ctx, strings.TrimSpace(string(out)))
}

// base builds the image that stands in for the golang image of the Dockerfile.
func (b *Builder) base(ctx context.Context) error {
	goroot, err := goTool(ctx, "env", "GOROOT")
	if err != nil {
		return err
	}
	files, err := b.baseFiles()
	if err != nil {
		return err
	}
	const name = "base"
	flags, err := goTool(ctx, "env", "GOFLAGS")
	if err != nil {
		return err
	}
	for _, step := range [][]string{
		{"from", "--name", name, "scratch"},
		{"add", name, files, "/"},
		{"add", name, goroot, "/usr/local/go"},
		{
			"config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "HOME=" + baseHome,
			"--env", "GOFLAGS=" + flags, "--env", "GOPROXY=off", name,
		},
		{"commit", "--rm", name, baseName},
	} {
		if _, err := b.run(ctx, step...); err != nil {
			return err
		}
	}
	return nil
}

// baseFiles returns a directory with the files for the image that base builds: a shell,
// the commands that the Dockerfile runs, and the certificates that the Dockerfile
// copies.
func (b *Builder) baseFiles() (string, error) {
	root := filepath.Join(b.Dir, "base")
	for _, dir := range []string{"bin", "etc/ssl/certs", "tmp", "root", "proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return "", err
		}
	}
	for from, to := range map[string]string{
		b.Busybox:                            "bin/busybox",
		"/etc/ssl/certs/ca-certificates.crt": "etc/ssl/certs/ca-certificates.crt",
	} {
		content, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(root, to), content, 0o755); err != nil {
			return "", err
		}
	}
	for _, command := range []string{"sh", "cat", "ln", "mkdir"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", command)); err != nil {
			return "", err
		}
	}
	return root, nil
}

// caches returns arguments of buildah. With them, the build uses this machine's Go
// modules and compiled packages.
func (b *Builder) caches(ctx context.Context) (arguments []string, err error) {
	out, err := goTool(ctx, "env", "GOMODCACHE", "GOCACHE")
	if err != nil {
		return nil, err
	}
	places := strings.Fields(out)
	if len(places) != 2 {
		return nil, fmt.Errorf("unexpected output of go env: %q", out)
	}
	return []string{"--volume", places[0] + ":" + baseHome + "/go/pkg/mod", "--volume", places[1] + ":" + baseHome + "/.cache/go-build"}, nil
}

// open returns a built image: the configuration, and the directory with the files.
func (b *Builder) open(ctx context.Context, image string) (*Image, error) {
	out, err := b.run(ctx, "inspect", "--type", "image", image)
	if err != nil {
		return nil, err
	}
	var said struct{ Docker struct{ Config ImageConfig } }
	if err := json.Unmarshal(out, &said); err != nil {
		return nil, err
	}
	container, err := b.run(ctx, "from", "--pull-never", image)
	if err != nil {
		return nil, err
	}
	root, err := b.run(ctx, "mount", strings.TrimSpace(string(container)))
	return &Image{Root: strings.TrimSpace(string(root)), Config: said.Docker.Config}, err
}

// run runs buildah, and returns what it prints.
func (b *Builder) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.Buildah, append([]string{
		"--root", filepath.Join(b.Dir, "storage"), "--runroot", filepath.Join(b.Dir, "run"), "--storage-driver", "vfs",
	}, args...)...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot", "STORAGE_DRIVER=vfs")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("buildah %s: %w\n%s%s", args[0], err, out, stderr.Bytes())
	}
	return out, nil
}
