package causes_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
)

// failures are the lines of testdata/failures.txt by number.
func failures(t *testing.T) map[int]string {
	t.Helper()
	text, err := os.ReadFile("testdata/failures.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int]string{}
	for line := range strings.Lines(string(text)) {
		var n int
		if _, err := fmt.Sscan(line, &n); err == nil {
			rows[n] = strings.TrimSpace(line)
		}
	}
	return rows
}

// TestEveryFailureHasACause checks that the table of causes explains every line
// of testdata/failures.txt. No cause may refer to a line that does not exist.
func TestEveryFailureHasACause(t *testing.T) {
	rows := failures(t)
	const known = 42
	if len(rows) != known {
		t.Errorf("testdata/failures.txt has %d failures, want %d", len(rows), known)
	}
	explained := map[int]bool{}
	for _, c := range causes.All() {
		for _, n := range c.Rows {
			explained[n] = true
			if rows[n] == "" {
				t.Errorf("%s: there is no failure %d: got none, want some", c.ID, n)
			}
		}
	}
	for n, line := range rows {
		if !explained[n] {
			t.Errorf("got no cause for %s, want one", line)
		}
	}
}

// TestTroubleshooting checks that docs/troubleshooting.md is the document that
// the table of causes makes.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := causes.Troubleshooting(); string(text) != want {
		t.Error("docs/troubleshooting.md: got another text, want what the table makes: run go generate ./doctor")
	}
}

// TestNamesFromServer checks that a remedy proposes names below the server
// name's host. If the host is an IP address, the remedy must propose names
// below example.org instead.
func TestNamesFromServer(t *testing.T) {
	for server, want := range map[string]string{
		"matrix.test":         "matrix.test jwt.matrix.test matrix.test",
		"matrix.test:8448":    "matrix.test jwt.matrix.test matrix.test:8448",
		"[2001:db8::1]:28448": "[2001:db8::1] jwt.example.org [2001:db8::1]:28448",
		"192.0.2.1":           "192.0.2.1 jwt.example.org 192.0.2.1",
	} {
		t.Run(server, func(t *testing.T) {
			if got := causes.Fill("{apex} jwt.{domain} {server}", engine.Vars{"server": server}); got != want {
				t.Errorf("%s: %s, want %s", server, got, want)
			}
		})
	}
}
