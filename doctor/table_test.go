package doctor_test

import (
	"slices"
	"testing"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
)

// TestTable: every cause of the table is complete, and is either produced by a
// test or says why not.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range causes.All() {
		_, broken := breaks[c.ID]
		switch {
		case seen[c.ID]:
			t.Errorf("the table has the cause %s twice", c.ID)
		case c.Text == "" || c.Remedy == "" || len(c.Checks) == 0:
			t.Errorf("the cause %s lacks a text, a remedy or a check", c.ID)
		case c.Status != engine.Fail && c.Status != engine.Warn && (c.Status != engine.OK || c.Unbroken == ""):
			t.Errorf("the cause %s has the status %q, want Fail, Warn or OK", c.ID, c.Status)
		case !slices.Contains([]string{"inside", "outside", "both"}, c.From):
			t.Errorf("the cause %s can be found from %q, want inside, outside or both", c.ID, c.From)
		case broken == (c.Unbroken != ""):
			t.Errorf("%s: whether a test produces it: %v, why no test does: %q, want exactly one", c.ID, broken, c.Unbroken)
		}
		seen[c.ID] = true
	}
	for id := range breaks {
		if !seen[id] {
			t.Errorf("the table lacks the cause %s", id)
		}
	}
	const least = 30
	if len(breaks) < least {
		t.Errorf("%d causes are broken, want %d at least", len(breaks), least)
	}
}

// TestNamesOfChecks: the table names every check that is made.
func TestNamesOfChecks(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range causes.All() {
		for _, id := range c.Checks {
			ids[id] = true
		}
	}
	s := newStack(t)
	for _, c := range s.examine().Checks {
		if !ids[c.ID] {
			t.Errorf("the table names no cause that the check %s finds", c.ID)
		}
	}
}
