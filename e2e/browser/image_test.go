package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// imageUser is the user id with which a container runs the image's program.
const imageUser = 65532

// TestImage checks the image that the Dockerfile builds. It must contain only one
// program and what that program needs. As an unprivileged user, the program must serve
// a deployment and keep leaves in /data. The health check must work with each form of
// the address at which the program listens.
func TestImage(t *testing.T) {
	builder := newBuilder(t)
	image, err := builder.Build(within(t, 10*time.Minute), repository)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("is what a file holds", func(t *testing.T) { imageFile(t, builder, image) })
	t.Run("says how to run it", func(t *testing.T) { imageConfig(t, image) })
	t.Run("holds one program", func(t *testing.T) { imageFiles(t, image) })
	mountVolume(t, image)
	s := newStack(t, stack.SubDomains(stack.Domain), func(s *stack.Stack) {
		lent(s)
		s.Image, s.User, s.Programs.Service = image.Root, imageUser, image.Config.Entrypoint[0]
	})
	subtest(t, s, "curl", func(t *testing.T) { curlJourney(t, s) })
	t.Run("keeps leaves", func(t *testing.T) {
		if _, err := os.Stat(filepath.Join(image.Root, "data", "leaves.db")); err != nil {
			t.Errorf("os.Stat: got %v, want no error", err)
		}
	})
	subtest(t, s, "health check", func(t *testing.T) { imageHealth(t, image, s) })
}

// mountVolume mounts a volume at the image's /data, as compose.yaml does. Without a
// volume the program keeps leaves in memory, because a container's own files are lost
// with the container.
func mountVolume(t *testing.T, image *stack.Image) {
	t.Helper()
	dir := filepath.Join(image.Root, "data")
	options := fmt.Sprintf("uid=%d,gid=%d,mode=0700", imageUser, imageUser)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mounting a volume at %s: got %v: %s, want no error", dir, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmounting %s: got %v: %s, want no error", dir, err, out)
		}
	})
}

// newBuilder returns a Builder whose directory is removed after the test.
func newBuilder(t *testing.T) *stack.Builder {
	t.Helper()
	dir := filepath.Join(repository, "build", "e2e", "image")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &stack.Builder{Dir: dir, Buildah: tools.Buildah, Busybox: tools.Busybox}
}

// imageFile makes the image file of `make image` for this machine. Two other programs
// must be able to read the file. The file must contain the same program and
// configuration as the image from the Dockerfile.
func imageFile(t *testing.T, builder *stack.Builder, want *stack.Image) {
	ctx := within(t, 10*time.Minute)
	dir := t.TempDir()
	make := exec.CommandContext(ctx, "go", "run", "-C", filepath.Join(repository, "image"), ".", "-arch", "native", "-out", dir)
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%q: got %v\n%s\nwant an image", make.Args, err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.tar"))
	if err != nil || len(files) != 1 {
		t.Fatalf("`make image` wrote the files %v (%v), want one file", files, err)
	}
	var read struct{ Config stack.ImageConfig }
	out, err := exec.CommandContext(ctx, tools.Skopeo, "inspect", "--config", "docker-archive:"+files[0]).Output()
	if err != nil || json.Unmarshal(out, &read) != nil {
		t.Errorf("skopeo inspect: got %v\n%s\nwant JSON", err, out)
	}
	imageConfig(t, &stack.Image{Config: read.Config})
	got, err := builder.Load(ctx, files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Config.Healthcheck, want.Config.Healthcheck) {
		t.Errorf("got the health check %+v, want %+v", got.Config.Healthcheck, want.Config.Healthcheck)
	}
	imageConfig(t, got)
	imageFiles(t, got)
	theirs, err := os.ReadFile(filepath.Join(want.Root, "matrixrtc-auth"))
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := os.ReadFile(filepath.Join(got.Root, "matrixrtc-auth")); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("got a program of %d bytes (%v), want the Dockerfile's, of %d bytes", len(ours), err, len(theirs))
	}
	if out, err := inImage(got, []string{"/matrixrtc-auth", "version"}).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "matrixrtc-auth ") {
		t.Errorf("matrixrtc-auth version in the image: got %q, %v, want its name first", out, err)
	}
}

func imageConfig(t *testing.T, image *stack.Image) {
	config := image.Config
	if config.User != "65532:65532" || !slices.Equal(config.Entrypoint, []string{"/matrixrtc-auth"}) {
		t.Errorf("got the user %q and the entry point %q, want 65532:65532 and /matrixrtc-auth", config.User, config.Entrypoint)
	}
	if _, ok := config.ExposedPorts["8080/tcp"]; !ok || len(config.ExposedPorts) != 1 {
		t.Errorf("got the ports %v, want 8080/tcp alone", config.ExposedPorts)
	}
	if title := config.Labels["org.opencontainers.image.title"]; title != "matrixrtc-auth" {
		t.Errorf("the image's title: got %q, want matrixrtc-auth", title)
	}
	for _, pair := range config.Env {
		if !strings.HasPrefix(pair, "PATH=") {
			t.Errorf("the image's environment: got %s, want PATH alone", pair)
		}
	}
}

// imageFiles checks the kind, the mode and the owner of every file in the
// image.
func imageFiles(t *testing.T, image *stack.Image) {
	var files []string
	err := filepath.WalkDir(image.Root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, image.Root)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if name == "/data" && info.Sys().(*syscall.Stat_t).Uid != imageUser {
			t.Errorf("owner of %s: got %d, want %d", name, info.Sys().(*syscall.Stat_t).Uid, imageUser)
		}
		if !entry.IsDir() {
			files = append(files, name)
		}
		return nil
	})
	if target, linkErr := os.Readlink(filepath.Join(image.Root, "lk-jwt-service")); target != "matrixrtc-auth" {
		t.Errorf("/lk-jwt-service leads to %q, want matrixrtc-auth: %v", target, linkErr)
	}
	if err != nil || !slices.Equal(files, []string{"/etc/ssl/certs/ca-certificates.crt", "/lk-jwt-service", "/matrixrtc-auth"}) {
		t.Errorf("files of the image: got %v, %v, want the certificates, /lk-jwt-service and /matrixrtc-auth", files, err)
	}
}

// imageHealth starts the image's program, and runs the image's health check. It tests
// each form of the address at which the program listens.
func imageHealth(t *testing.T, image *stack.Image, s *stack.Stack) {
	if image.Config.Healthcheck == nil || image.Config.Healthcheck.Test[0] != "CMD" {
		t.Fatalf("the image's health check: got %+v, want a command without a shell", image.Config.Healthcheck)
	}
	service := s.Services[0]
	stop(t, service)
	defer start(t, service)
	_, port, _ := strings.Cut(strings.TrimPrefix(service.URL(), "http://"), ":")
	for name, bind := range map[string]string{
		"port":          "LIVEKIT_JWT_BIND=:" + port,
		"port variable": "LIVEKIT_JWT_PORT=" + port,
		"IPv4":          "LIVEKIT_JWT_BIND=127.0.0.1:" + port,
		"IPv6":          "LIVEKIT_JWT_BIND=[::1]:" + port,
		"every IPv4":    "LIVEKIT_JWT_BIND=0.0.0.0:" + port,
		"every address": "LIVEKIT_JWT_BIND=[::]:" + port,
		"Unix socket":   "LIVEKIT_JWT_BIND=unix:/data/socket",
	} {
		subtest(t, s, name, func(t *testing.T) {
			check := func() error {
				return inImage(image, image.Config.Healthcheck.Test[1:], bind).Run()
			}
			if check() == nil {
				t.Error("the health check before the program runs: got no error, want one")
			}
			program := inImage(image, image.Config.Entrypoint, append(environment(service), bind)...)
			log := filepath.Join(s.Host.Dir, "health.log")
			program.Stdout = create(t, log)
			program.Stderr = program.Stdout
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- program.Wait() }()
			defer program.Process.Kill() // an error about a process that has ended does not matter
			eventually(t, s, 20*time.Second, "it is healthy", func() (bool, string) {
				err := check()
				said, _ := os.ReadFile(log)
				return err == nil, fmt.Sprintf("%v; the program says\n%s", err, said)
			})
			_ = program.Process.Signal(syscall.SIGTERM)
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the program after SIGTERM: got %v, want no error", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("20 s after SIGTERM: got the program running, want it ended")
			}
		})
	}
}

// create makes a new file, and closes it when the test ends.
func create(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// environment returns the service's environment without LIVEKIT_JWT_BIND, the address
// at which the service listens. The caller adds this variable if it needs one.
func environment(service *stack.Service) (env []string) {
	for name, value := range service.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// inImage returns a command whose root directory is the image's root directory, as in a
// container.
func inImage(image *stack.Image, command []string, env ...string) *exec.Cmd {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Path, cmd.Err = command[0], nil // the path in the image, which may not exist on this machine
	cmd.Env, cmd.Dir = env, "/"
	cmd.SysProcAttr = stack.Dependent()
	cmd.SysProcAttr.Chroot = image.Root
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: imageUser, Gid: imageUser}
	return cmd
}
