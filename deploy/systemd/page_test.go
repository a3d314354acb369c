package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPageInTheShell checks the command in docs/systemd.md with which a shell
// reads the file of variables. Each variable must get the same value as systemd
// gives to it.
func TestPageInTheShell(t *testing.T) {
	page := read(t, "../../docs/systemd.md")
	var lines []string
	for _, found := range regexp.MustCompile("(?m)^ +(LIVEKIT_\\w+=\\S+)$|as in `(LIVEKIT_[^`]+)`").FindAllStringSubmatch(page, -1) {
		lines = append(lines, found[1]+found[2])
	}
	command := regexp.MustCompile(`(?m)^sudo sh -c '(set -a; \. )/etc/matrixrtc-auth/environment;`).FindStringSubmatch(page)
	if len(lines) != 4 || command == nil {
		t.Fatalf("docs/systemd.md has the lines %q and the command %q, want 4 and one", lines, command)
	}
	file := filepath.Join(t.TempDir(), "environment")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", command[1]+file+"; env")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: got %v\n%s, want no error", cmd.Args, err, out)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		if want := name + "=" + strings.Trim(value, "'") + "\n"; !strings.Contains(string(out), want) {
			t.Errorf("the shell after %q: got\n%s\nwant %q in it", line, out, want)
		}
	}
}
