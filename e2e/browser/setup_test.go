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

// TestMain sets these variables before the tests run.
var (
	programs   stack.Programs
	tools      stack.Tools
	repository string
	homeserver *stack.Stack // of this stack, only the homeserver runs
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

// lent makes a stack use the homeserver that many tests share. Such a stack does not
// stop the homeserver, and cannot configure it.
func lent(s *stack.Stack) { s.Lent = homeserver.Synapse }

// building is the time limit for the first build of all programs, with empty caches.
const building = 20 * time.Minute

// starting is the time limit for the start of a stack on a busy machine.
const starting = 90 * time.Second

// newHost returns a Host with files in build/e2e/<test>. If the test fails, these files
// are kept.
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
			dir = filepath.Join(dir, "*-profile") // keep everything except the browsers' profiles, which are large
		}
		for _, path := range glob(dir) {
			os.RemoveAll(path)
		}
	})
	return host
}

func glob(pattern string) []string {
	paths, _ := filepath.Glob(pattern) // the pattern is valid, so there is no error
	return paths
}

// newStack starts a stack, which is a whole deployment, and stops it when the test
// ends. If change is not nil, newStack calls change before the start, so that the test
// can change the stack.
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
		if _, before := shown.Load(s); !before { // if before is true, a subtest has already shown the logs
			tail(t, s)
		}
	})
	return s
}

// subtest runs a subtest that uses a stack. If the subtest fails, subtest shows the
// ends of the stack's logs before any cleanup.
func subtest(t *testing.T, s *stack.Stack, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		defer tail(t, s)
		test(t)
	})
}

// The map shown records whose logs the tests have already shown. A key is a test
// with its stack, or a stack alone.
var shown sync.Map

type showing struct {
	t *testing.T
	s *stack.Stack
}

// tail shows the end of each log of the stack if the test has failed. It does so only
// once for each test.
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

// keepLog shows the end of the shared homeserver's log, and copies that log to the
// stack's directory.
func keepLog(t *testing.T, s *stack.Stack) {
	t.Logf("%s ends:\n%s", filepath.Base(s.Lent.Log().Path()), narrow(s.Lent.Log().Tail(20)))
	if _, err := s.Host.WriteFile(filepath.Base(s.Lent.Log().Path()), []byte(s.Lent.Log().String())); err != nil {
		t.Errorf("WriteFile: got %v, want no error", err)
	}
}

// narrow shortens long lines.
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
