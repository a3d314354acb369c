package doctor

import (
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/doctor/causes"
)

// TestExcusesNameCauses: the table of excuses names only causes that the named
// checks can find.
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
				t.Errorf("the excuse %+[2]v of %[1]s names only one kind of causes, or no known check", id, x)
			}
		}
	}
}
