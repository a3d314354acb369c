package smallfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"full": Limit, "larger": Limit + 1} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Read(filepath.Join(dir, "full")); err != nil || len(got) != Limit {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, Limit)
	}
	for name, want := range map[string]string{"larger": "larger than 1 MiB", ".": "not a regular file"} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(filepath.Join(dir, name)); err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		})
	}
	if _, err := Read(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) || errors.Is(Cause(err), err) {
		t.Errorf("missing: got %v, and the cause %v, want one without the path", err, Cause(err))
	}
}
