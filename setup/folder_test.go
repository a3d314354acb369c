package setup

import (
	"os"
	"strings"
	"testing"
)

func (l *lab) mode(name string) os.FileMode {
	l.t.Helper()
	info, err := os.Lstat(l.path(name))
	if err != nil {
		l.t.Fatal(err)
	}
	return info.Mode().Perm()
}

// TestModes checks the permissions of all files. If others can read .env, setup
// takes that permission away, even if the content stays.
func TestModes(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	for _, name := range l.list() {
		want := os.FileMode(0o644)
		if name == envFile {
			want = 0o600
		}
		if got := l.mode(name); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	if err := os.Chmod(l.path(envFile), 0o666); err != nil {
		t.Fatal(err)
	}
	l.run(exitOK)
	if got := l.mode(envFile); got != 0o600 {
		t.Errorf(".env: got mode %o, want 600", got)
	}
}

// TestLinksAndFolders checks that setup does not write through a link, and
// reports a folder in place of a file.
func TestLinksAndFolders(t *testing.T) {
	outside := t.TempDir() + "/outside"
	if err := os.WriteFile(outside, []byte("LIVEKIT_SECRET=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{envFile, "compose.yaml", sumsFile, "ports.md.new"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.write("other", "")
			if err := os.Symlink(outside, l.path(name)); err != nil {
				t.Fatal(err)
			}
			l.run(exitFaults)
			l.says(l.err, name, "symbolic link")
			if content, _ := os.ReadFile(outside); string(content) != "LIVEKIT_SECRET=x\n" || len(l.list()) != 2 {
				t.Errorf("%s is a link: got %q in the folder, %q outside, want both unchanged", name, l.list(), content)
			}
		})
	}
	l := newLab(t)
	l.write("other", "")
	if err := os.Mkdir(l.path("livekit.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.run(exitFaults)
	l.says(l.err, "livekit.yaml", "is a folder")
}

// TestUnusedFile checks that setup names a key file that it no longer uses.
func TestUnusedFile(t *testing.T) {
	l := newLab(t)
	cert, key := writeCertificate(t, "turn.example.org", tomorrow())
	l.run(exitOK, "--turn-tls", "turn.example.org", "--turn-cert", cert, "--turn-key", key)
	if got := l.mode(keyFile); got != 0o600 {
		t.Errorf("%s: got mode %o, want 600", keyFile, got)
	}
	l.run(exitOK)
	l.says(l.out, keyFile, "unchanged")
	l.run(exitOK, "--turn-tls", "none")
	for range 2 {
		l.says(l.out, keyFile, "remove it")
		l.run(exitOK)
	}
	if err := os.Remove(l.path(keyFile)); err != nil {
		t.Fatal(err)
	}
	l.run(exitOK)
	if strings.Contains(l.out, keyFile) {
		t.Errorf("setup names a file that does not exist: got %s, want no %q in it", l.out, keyFile)
	}
}
