package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// lab has what every experiment needs: the fake homeserver and SFU, the
// service's program, and a directory that is deleted at the end.
type lab struct {
	opts    options
	log     io.Writer
	dir     string // a temporary directory
	root    string // the directory of the service's module
	service string // the path of the service's program
	// unsealed is the path of a build of the service whose tokens contain no
	// tickets. It is "" until that program is built.
	unsealed   string
	caFile     string
	homeserver *child
	sfu        *child
	// faults holds one text for each wrong answer and each wrong count. If there
	// is a fault, the benchmark fails.
	faults []string
}

func openLab(ctx context.Context, opts options, log io.Writer) (*lab, error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{opts: opts, log: log, dir: dir, caFile: filepath.Join(dir, "ca.pem"), service: opts.service}
	if err := l.furnish(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) furnish(ctx context.Context) (err error) {
	if l.root, err = moduleRoot(ctx); err != nil {
		return err
	}
	if l.service == "" {
		l.service = filepath.Join(l.dir, "matrixrtc-auth")
		l.say("building the service")
		if err := l.build(ctx, l.service, "."); err != nil {
			return err
		}
	}
	if l.homeserver, err = startRole(ctx, "homeserver"); err != nil {
		return err
	}
	if l.sfu, err = startRole(ctx, "sfu"); err != nil {
		return err
	}
	return os.WriteFile(l.caFile, []byte(l.homeserver.CA), 0o600)
}

func (l *lab) close() {
	for _, c := range []*child{l.homeserver, l.sfu} {
		if c != nil {
			c.stop()
		}
	}
	os.RemoveAll(l.dir)
}

// say prints what the benchmark is doing now.
func (l *lab) say(format string, args ...any) { fmt.Fprintf(l.log, "bench: "+format+"\n", args...) }

// fault records a wrong result, which makes the benchmark fail. The slowness of
// a machine alone never causes such a result.
func (l *lab) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
	l.say("WRONG: "+format, args...)
}

// build compiles a package of the service's module. It uses the compiler flags
// of the released image.
func (l *lab) build(ctx context.Context, output string, args ...string) error {
	command := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", output}, args...)
	return l.goCommand(ctx, command...)
}

func (l *lab) goCommand(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = l.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// moduleRoot returns the folder of the service's source. The current folder
// must be inside the service's module or the benchmark's module.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "matrixrtc-auth").Output()
	if err != nil {
		return "", fmt.Errorf("run the benchmark in the folder of the service or of the benchmark: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// put makes the load generator send requests to a subject, which is a running
// token server. It measures the CPU time of the subject, the homeserver and the
// generator, in this order.
func (l *lab) put(ctx context.Context, s *subject, plan loadPlan) (*loadResult, error) {
	plan.Addr, plan.Server = s.addr, l.homeserver.Addr
	plan.PIDs = []int{s.pid, l.homeserver.pid()}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "role", "load", string(text))
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("the load generator failed on subject (%s): %w: %s", s.letter, err, complaint.String())
	}
	var result loadResult
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return nil, err
	}
	if result.Requests == 0 {
		return nil, errors.New("load on " + s.letter + ": nothing was answered")
	}
	return &result, nil
}

// putAll does what put does. It also records a fault if an answer is wrong.
func (l *lab) putAll(ctx context.Context, s *subject, plan loadPlan) (*loadResult, error) {
	result, err := l.put(ctx, s, plan)
	if err == nil && result.Wrong > 0 {
		l.fault("subject (%s) gave %d wrong answers of %d; the first: %s", s.letter, result.Wrong, result.Requests, result.Problem)
	}
	return result, err
}
