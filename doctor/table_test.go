package doctor_test

import (
	"slices"
	"testing"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
)

// TestTable checks that every cause of the table is complete. Either a test
// produces the cause, or the cause says why none does.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range causes.All() {
		_, broken := breaks[c.ID]
		switch {
		case seen[c.ID]:
			t.Errorf("cause %s: got it twice, want it once", c.ID)
		case c.Text == "" || c.Remedy == "" || len(c.Checks) == 0:
			t.Errorf("cause %s: got the text %q, the remedy %q, the checks %q; want some of each", c.ID, c.Text, c.Remedy, c.Checks)
		case c.Status != engine.Fail && c.Status != engine.Warn && (c.Status != engine.OK || c.Unbroken == ""):
			t.Errorf("cause %s: got the status %q, want a fault, or a success that no test breaks", c.ID, c.Status)
		case !slices.Contains([]string{"inside", "outside", "both"}, c.From):
			t.Errorf("cause %s: got it seen from %q, want inside, outside or both", c.ID, c.From)
		case broken == (c.Unbroken != ""):
			t.Errorf("cause %s: got it broken by a test: %v, and why it is not: %q; want one of the two", c.ID, broken, c.Unbroken)
		}
		seen[c.ID] = true
	}
	for id := range breaks {
		if !seen[id] {
			t.Errorf("the table: got no cause %s, want it", id)
		}
	}
	const least = 30
	if len(breaks) < least {
		t.Errorf("%d causes are broken, want %d at least", len(breaks), least)
	}
}

// TestNamesOfChecks checks that the table of causes names every check that
// doctor makes.
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
			t.Errorf("the table: got no check %s, want it", c.ID)
		}
	}
}
