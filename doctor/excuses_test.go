package doctor

import (
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor/causes"
)

// TestExcusesNameCauses checks the causes in the table excuses. Each must be a
// cause that the check in the same entry can find.
func TestExcusesNameCauses(t *testing.T) {
	finds := func(check, cause string) {
		if !slices.Contains(causes.Of(cause).Checks, check) {
			t.Errorf("check %s: got no cause %s, want it among what the check finds", check, cause)
		}
	}
	for id, list := range excuses {
		for _, x := range list {
			for cause := range strings.FieldsSeq(x.causes) {
				finds(x.by, cause)
			}
			for cause := range strings.FieldsSeq(x.shows) {
				finds(id, cause)
			}
			if (x.causes == "") != (x.shows == "") || !slices.Contains(causes.Checks(), x.by) {
				t.Errorf("excuses of %s: got %+v, want both causes and shows or neither, by a check that exists", id, x)
			}
		}
	}
}
