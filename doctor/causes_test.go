package doctor_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor"
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

// TestEveryFailureHasACause: what users run into is in the table, and the table
// speaks of nothing else.
func TestEveryFailureHasACause(t *testing.T) {
	rows := failures(t)
	const known = 42
	if len(rows) != known {
		t.Errorf("testdata/failures.txt has %d failures, want %d", len(rows), known)
	}
	explained := map[int]bool{}
	for _, c := range doctor.Causes() {
		for _, n := range c.Rows {
			explained[n] = true
			if rows[n] == "" {
				t.Errorf("%s: there is no failure %d: got none, want some", c.ID, n)
			}
		}
	}
	for n, line := range rows {
		if !explained[n] {
			t.Errorf("no cause explains %s", line)
		}
	}
}

// TestTable: every cause is complete, and either broken by a test or says why
// not.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range doctor.Causes() {
		_, broken := breaks[c.ID]
		switch {
		case seen[c.ID]:
			t.Errorf("%s is there twice", c.ID)
		case c.Text == "" || c.Remedy == "" || len(c.Checks) == 0:
			t.Errorf("%s lacks a text, a remedy or a check", c.ID)
		case c.Status != engine.Fail && c.Status != engine.Warn && (c.Status != engine.OK || c.Unbroken == ""):
			t.Errorf("%s has the status %q", c.ID, c.Status)
		case !slices.Contains([]string{"inside", "outside", "both"}, c.From):
			t.Errorf("%s shows from %q", c.ID, c.From)
		case broken == (c.Unbroken != ""):
			t.Errorf("%s: broken by a test: %v, why not: %q", c.ID, broken, c.Unbroken)
		}
		seen[c.ID] = true
	}
	for id := range breaks {
		if !seen[id] {
			t.Errorf("the table lacks %s", id)
		}
	}
	const least = 30
	if len(breaks) < least {
		t.Errorf("%d causes are broken, want %d at least", len(breaks), least)
	}
}

// TestNamesOfChecks: whatever a check finds, the table says that it may.
func TestNamesOfChecks(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range doctor.Causes() {
		for _, id := range c.Checks {
			ids[id] = true
		}
	}
	s := newStack(t)
	for _, c := range s.examine().Checks {
		if !ids[c.ID] {
			t.Errorf("the table knows no check %s", c.ID)
		}
	}
}

// TestTroubleshooting: the document is the one that the table makes.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := doctor.Troubleshooting(); string(text) != want {
		t.Error("docs/troubleshooting.md is not what the table makes: run go generate ./doctor")
	}
}
