package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// Built and found by TestMain, before any test runs.
var (
	programs   stack.Programs
	tools      stack.Tools
	repository string
	homeserver *stack.Stack // of which the homeserver alone is started
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), building)
	defer cancel()
	if tools, err = stack.FindBrowserTools(ctx); err != nil {
		return 0, err
	}
	if repository, err = stack.Repository(ctx); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "matrixrtc-auth-browser-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if programs, err = stack.Build(ctx, dir); err != nil {
		return 0, err
	}
	homeserver = &stack.Stack{Host: stack.NewHost(dir), Tools: tools, Layout: stack.SubDomains(stack.Domain)}
	defer homeserver.Host.Close()
	ctx, cancel = context.WithTimeout(context.Background(), starting)
	defer cancel()
	if err := homeserver.StartHomeserver(ctx); err != nil {
		return 0, err
	}
	defer homeserver.Synapse.Stop()
	return m.Run(), nil
}

// lent has a stack use the homeserver that all tests share which neither stop
// it nor need another configuration of it.
func lent(s *stack.Stack) { s.Lent = homeserver.Synapse }

// building is how long the programs may take to build where nothing is yet.
const building = 20 * time.Minute

// starting is how long a stack may take to start on a machine that is busy.
const starting = 90 * time.Second

// newHost returns a corner of the machine whose files are build/e2e/<test>.
// They stay when the test fails.
func newHost(t *testing.T) *stack.Host {
	t.Helper()
	dir := filepath.Join(repository, "build", "e2e", t.Name())
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	host := stack.NewHost(dir)
	t.Cleanup(func() {
		host.Close()
		if t.Failed() {
			dir = filepath.Join(dir, "*-profile") // of browsers: large, and of no use
		}
		for _, path := range glob(dir) {
			os.RemoveAll(path)
		}
	})
	return host
}

func glob(pattern string) []string {
	paths, _ := filepath.Glob(pattern) // of a pattern that is well-formed
	return paths
}

// newStack starts a stack for the length of the test. change may change it
// before it starts.
func newStack(t *testing.T, layout stack.Layout, change func(*stack.Stack)) *stack.Stack {
	t.Helper()
	s := &stack.Stack{
		Host: newHost(t), Programs: programs, Tools: tools, Layout: layout, Mode: stack.Compatibility,
	}
	if change != nil {
		change(s)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping the stack: got %v, want no error", err)
		}
	})
	if err := s.Start(within(t, starting)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, before := shown.Load(s); !before { // by a subtest
			tail(t, s)
		}
	})
	return s
}

// subtest runs one that uses a stack, whose logs it shows when it fails, before
// anything that it started ends.
func subtest(t *testing.T, s *stack.Stack, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		defer tail(t, s)
		test(t)
	})
}

// shown has each test with the stack whose logs it has shown, and each stack
// whose logs any has.
var shown sync.Map

type showing struct {
	t *testing.T
	s *stack.Stack
}

// tail shows the end of every log when the test has failed, once.
func tail(t *testing.T, s *stack.Stack) {
	t.Helper()
	if !t.Failed() {
		return
	}
	if _, before := shown.LoadOrStore(showing{t, s}, true); before {
		return
	}
	shown.Store(s, true)
	for _, part := range s.Parts() {
		t.Logf("%s ends:\n%s", filepath.Base(part.Log().Path()), narrow(part.Log().Tail(20)))
	}
	if s.Lent != nil {
		keepLog(t, s)
	}
	t.Logf("everything is in %s", s.Host.Dir)
}

// keepLog shows the end of the log of the homeserver that tests share, and
// keeps a copy of it where the other logs are.
func keepLog(t *testing.T, s *stack.Stack) {
	t.Logf("%s ends:\n%s", filepath.Base(s.Lent.Log().Path()), narrow(s.Lent.Log().Tail(20)))
	if _, err := s.Host.WriteFile(filepath.Base(s.Lent.Log().Path()), []byte(s.Lent.Log().String())); err != nil {
		t.Errorf("WriteFile: got %v, want no error", err)
	}
}

// narrow cuts long lines.
func narrow(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if len(line) > 300 {
			line = line[:300] + " ...\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
