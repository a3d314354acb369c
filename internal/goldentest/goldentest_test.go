package goldentest

import (
	"os"
	"path/filepath"
	"testing"
)

// recorder is a testing.TB that records whether the test failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestHold(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, fails := range map[string]bool{"one": false, "two": true, "": true} {
		t.Run(text, func(t *testing.T) {
			r := &recorder{TB: t}
			if Hold(r, name, []byte(text)); r.failed != fails {
				t.Errorf("Hold(%q) of a file with one: got failed %v, want %v", text, r.failed, fails)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	*update = true
	defer func() { *update = false }()
	name := filepath.Join(t.TempDir(), "file")
	if got := Want(t, name, []byte("new")); string(got) != "new" {
		t.Errorf("Want with -update: got %q, want new", got)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "new" {
		t.Errorf("the file: got %q, %v, want new", got, err)
	}
}
