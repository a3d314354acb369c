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

// livekitServer and joinProgram are packages of tools in this module's go.mod.
const (
	livekitServer = "github.com/livekit/livekit-server/cmd/server"
	joinProgram   = "matrixrtc-auth/e2e/join"
)

// Programs are the paths of built executables.
type Programs struct {
	SFU     string // the path of the program livekit-server
	Join    string // the path of the program e2e/join, which is a participant
	Service string // the path of the program matrixrtc-auth
}

// Build builds all programs. It writes the service into dir. The other programs stay in
// Go's build cache. The first build takes minutes. Later builds take less than a
// second.
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

// tool builds a tool of this module. It returns the path of the program in Go's build
// cache.
func tool(ctx context.Context, pkg string) (string, error) {
	return goTool(ctx, "tool", "-n", pkg)
}

// buildService builds the service in its own module, not in this one. So the service
// has the same dependencies as the released program.
func buildService(ctx context.Context, dir string) (string, error) {
	repository, err := Repository(ctx)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "matrixrtc-auth")
	_, err = goTool(ctx, "build", "-C", repository, "-o", program, ".")
	return program, err
}

// goTool runs the go command and returns its output.
func goTool(ctx context.Context, args ...string) (string, error) {
	var faults bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = &faults
	cmd.WaitDelay = 5 * time.Second // compilers that Go started can keep its standard error open, so waiting needs a limit
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), errors.Join(err, context.Cause(ctx)), faults.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
