package setup

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/internal/command"
	"matrixrtc-auth/internal/command/commandtest"
)

// The exit codes of setup.
const (
	exitOK     = int(command.OK)
	exitFaults = int(command.Failed)
	exitUsage  = int(command.Misused)
)

// repository holds the templates. The program embeds the same files.
var repository = os.DirFS("..")

// names are the flags that setup needs besides --dir.
var names = []string{"--server-name", "example.org", "--jwt-host", "jwt.example.org", "--sfu-host", "sfu.example.org"}

// lab is a folder into which setup writes, with the output of the last run.
type lab struct {
	t        *testing.T
	dir      string
	out, err string
}

func newLab(t *testing.T) *lab { return &lab{t: t, dir: filepath.Join(t.TempDir(), "deployment")} }

// run runs setup with --dir and with the given flags. It adds the flags of the
// list names, except those that are already in flags. It checks the exit code.
func (l *lab) run(want int, flags ...string) {
	l.t.Helper()
	args := []string{"--dir", l.dir}
	for i := 0; i < len(names); i += 2 {
		if !slices.Contains(flags, names[i]) {
			args = append(args, names[i], names[i+1])
		}
	}
	l.exec(want, append(args, flags...)...)
}

// exec runs setup with args and no other arguments, and checks the exit code.
func (l *lab) exec(want int, args ...string) {
	l.t.Helper()
	var out, faults bytes.Buffer
	got := execute(l.t.Context(), args, streams{In: strings.NewReader(""), Out: &out, Err: &faults})
	l.out, l.err = out.String(), faults.String()
	if got != want {
		l.t.Fatalf("setup %q: exit code %d, want %d\n%s%s", args, got, want, l.out, l.err)
	}
}

// execute runs setup with args, and returns the exit code.
func execute(ctx context.Context, args []string, s streams) int {
	o := presets()
	c := o.command(repository, func(io.Reader) bool { return s.Terminal })
	return commandtest.Run(ctx, c, args, s.In, s.Out, s.Err)
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) read(name string) string {
	l.t.Helper()
	content, err := os.ReadFile(l.path(name))
	if err != nil {
		l.t.Fatal(err)
	}
	return string(content)
}

func (l *lab) write(name, content string) {
	l.t.Helper()
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(l.path(name), []byte(content), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// list returns the names of all files in the folder.
func (l *lab) list() []string {
	l.t.Helper()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// env returns the values in the folder's .env.
func (l *lab) env() map[string]string {
	l.t.Helper()
	values, err := parseEnv(l.read(envFile))
	if err != nil {
		l.t.Fatal(err)
	}
	return values
}

// says checks that some line of the text contains all the words.
func (l *lab) says(text string, words ...string) {
	l.t.Helper()
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return
		}
	}
	l.t.Errorf("got no line that contains all of %q, want one:\n%s", words, text)
}

// unchanged checks that the folder holds the same files as before.
func (l *lab) unchanged(before map[string]string) {
	l.t.Helper()
	got := l.snapshot()
	for name, text := range before {
		if now, ok := got[name]; !ok || now != text {
			l.t.Errorf("%s: got the content %q, want what it was, %q\n%s%s", name, now, text, l.out, l.err)
		}
	}
	for name := range got {
		if _, ok := before[name]; !ok {
			l.t.Errorf("got the new file %s, want none\n%s%s", name, l.out, l.err)
		}
	}
}
