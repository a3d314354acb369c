// Package goldentest compares a test's output with files in testdata.
package goldentest

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Want returns the content of the file with the given name. If the flag -update is
// set, Want first replaces the content by got.
func Want(t testing.TB, name string, got []byte) []byte {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// Hold fails the test if got is not equal to the content of the file with the
// given name.
func Hold(t testing.TB, name string, got []byte) {
	t.Helper()
	if want := Want(t, name, got); !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s\nIf the change is wanted, run the test with -update: it writes the file.", name, got, want)
	}
}
