package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The packages of this module's tools: go.mod names them.
const (
	livekitServer = "github.com/livekit/livekit-server/cmd/server"
	joinProgram   = "matrixrtc-auth/e2e/join"
)

// Programs are the paths of built executables.
type Programs struct {
	SFU     string // livekit-server
	Join    string // e2e/join, a participant
	Service string // matrixrtc-auth
}

// Build builds all programs, the service into dir. The others stay in Go's
// build cache: the first build takes minutes, later ones under a second.
func Build(ctx context.Context, dir string) (Programs, error) {
	server, err := tool(ctx, livekitServer)
	if err != nil {
		return Programs{}, err
	}
	join, err := tool(ctx, joinProgram)
	if err != nil {
		return Programs{}, err
	}
	service, err := buildService(ctx, dir)
	return Programs{SFU: server, Join: join, Service: service}, err
}

// Repository returns the directory of the service's source.
func Repository(ctx context.Context) (string, error) {
	return goTool(ctx, "list", "-m", "-f", "{{.Dir}}", "matrixrtc-auth")
}

// tool builds a tool of this module and returns where the cache keeps it.
func tool(ctx context.Context, pkg string) (string, error) {
	return goTool(ctx, "tool", "-n", pkg)
}

// buildService builds in the service's own module, with the dependencies that
// it ships with rather than those of this module.
func buildService(ctx context.Context, dir string) (string, error) {
	repository, err := Repository(ctx)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "matrixrtc-auth")
	_, err = goTool(ctx, "build", "-C", repository, "-o", program, ".")
	return program, err
}

// goTool runs the go command and returns what it prints.
func goTool(ctx context.Context, args ...string) (string, error) {
	var faults bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = &faults
	cmd.WaitDelay = 5 * time.Second // its compilers have its standard error, too
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), errors.Join(err, context.Cause(ctx)), faults.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
