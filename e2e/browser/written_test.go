package browser

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/setup"
)

// TestWritten starts a stack with the files that setup writes. It changes only the
// addresses in the files. The commands of docs/by-hand.md must get a token, and people
// must be able to call each other.
func TestWritten(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	flags := []string{"--server-name", stack.Domain, "--jwt-host", "jwt." + stack.Domain, "--sfu-host", "sfu." + stack.Domain,
		"--base-url", "https://matrix." + stack.Domain, "--dir", dir}
	if code := commandtest.Run(t.Context(), setup.Command(os.DirFS(repository)), flags, nil, &out, &out); code != 0 {
		t.Fatalf("setup %q: got exit code %d, want 0\n%s", flags, code, out.String())
	}
	config, err := os.ReadFile(filepath.Join(dir, "nginx.conf.example"))
	if err != nil {
		t.Fatal(err)
	}
	s := newStack(t, stack.Written(string(config)), func(s *stack.Stack) { s.Written = dir })
	subtest(t, s, "curl", func(t *testing.T) { curlJourney(t, s) })
	bothModes(t, s)
}
