// Package goldentest compares a test's output with files in testdata.
package goldentest

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Want returns the content of the file name. With the flag -update it first
// writes got into the file.
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

// Hold fails the test if the content of the file name is not got.
func Hold(t testing.TB, name string, got []byte) {
	t.Helper()
	if want := Want(t, name, got); !bytes.Equal(got, want) {
		t.Errorf("%s (the flag -update writes it again): got\n%s\nwant\n%s", name, got, want)
	}
}
