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

// TestMain sets these variables before any test runs.
var (
	programs   stack.Programs
	tools      stack.Tools
	repository string
	homeserver *stack.Stack // only its homeserver is started
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

// lent makes a stack use the homeserver that tests share. Such a stack neither
// stops the homeserver nor needs another configuration of it.
func lent(s *stack.Stack) { s.Lent = homeserver.Synapse }

// building is how long the first build of all programs may take, with empty
// caches.
const building = 20 * time.Minute

// starting is how long the start of a stack may take on a busy machine.
const starting = 90 * time.Second

// newHost returns a Host whose files are in build/e2e/<test>. The files of a
// failed test are kept.
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
			dir = filepath.Join(dir, "*-profile") // the browsers' profiles are large, and nobody reads them
		}
		for _, path := range glob(dir) {
			os.RemoveAll(path)
		}
	})
	return host
}

func glob(pattern string) []string {
	paths, _ := filepath.Glob(pattern) // the pattern is valid
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
		if _, before := shown.Load(s); !before { // a subtest has shown them already
			tail(t, s)
		}
	})
	return s
}

// subtest runs a subtest that uses a stack. If it fails, subtest shows the
// stack's logs before anything that it started ends.
func subtest(t *testing.T, s *stack.Stack, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		defer tail(t, s)
		test(t)
	})
}

// shown contains each test with the stack whose logs it has shown, and each
// stack whose logs any test has shown.
var shown sync.Map

type showing struct {
	t *testing.T
	s *stack.Stack
}

// tail shows the end of every log, once, if the test has failed.
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

// keepLog shows the end of the log of the shared homeserver, and copies that
// log to the directory of the other logs.
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
