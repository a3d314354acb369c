//go:build unix

package appservice_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"matrixrtc-auth/appservice"
)

func TestTheFileIsForOwnerAndGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registration.yaml")
	r := newOne(t, false)
	for range 2 { // the second call replaces the file
		if err := appservice.WriteFile(path, r); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o640 {
			t.Errorf("mode %04o, want 0640", got)
		}
		if findings := appservice.LintMode(info.Mode()); len(findings) > 0 {
			t.Errorf("what was just written: got the findings %v, want none", findings)
		}
	}
	again, err := appservice.ReadFile(path)
	if err != nil || !again.ASToken.Equal(r.ASToken) {
		t.Errorf("read %v, %v, want what was written", again, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files are left, want the one", len(entries))
	}
}

func TestAFileThatOthersCanReadIsAFinding(t *testing.T) {
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o440: 0, 0o644: 1, 0o666: 1, 0o604: 1} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			if got := len(appservice.LintMode(mode)); got != want {
				t.Errorf("mode %04o: %d findings, want %d", mode, got, want)
			}
		})
	}
}

func TestAReplacedFileKeepsItsGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registration.yaml")
	if err := appservice.WriteFile(path, newOne(t, false)); err != nil {
		t.Fatal(err)
	}
	groups, err := os.Getgroups()
	if err != nil || len(groups) == 0 {
		groups = []int{os.Getgid()}
	}
	want := groups[len(groups)-1]
	if os.Getuid() == 0 {
		want = 4242
	}
	if err := os.Chown(path, -1, want); err != nil {
		t.Fatal(err)
	}
	if err := appservice.WriteFile(path, newOne(t, false)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := int(info.Sys().(*syscall.Stat_t).Gid); got != want {
		t.Errorf("group %d, want %d", got, want)
	}
}

// TestOtherFilesAreLeftAlone checks that ReadFile refuses a pipe, because
// reading one never ends. WriteFile must refuse a pipe, too, and a link,
// because a link may lead to any file.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	pipe, link, target := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "target")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link, dir} {
		t.Run("write to "+filepath.Base(path), func(t *testing.T) {
			if err := appservice.WriteFile(path, newOne(t, false)); err == nil {
				t.Errorf("%s was written: got no error, want one", path)
			}
		})
	}
	for _, path := range []string{pipe, dir} {
		t.Run("read "+filepath.Base(path), func(t *testing.T) {
			if _, err := appservice.ReadFile(path); err == nil {
				t.Errorf("%s was read: got no error, want one", path)
			}
		})
	}
	if text, _ := os.ReadFile(target); string(text) != "keep" {
		t.Errorf("the link's target: got %q, want keep", text)
	}
}
