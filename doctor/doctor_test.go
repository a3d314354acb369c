package doctor_test

import (
	"slices"
	"testing"

	"matrixrtc-auth/doctor"
)

// notApplicable are the checks that a right deployment may do without.
var notApplicable = []string{"config.registration", "sfu.bare_prefix"}

func TestHealthy(t *testing.T) {
	s := newStack(t)
	report := s.examine()
	for _, c := range report.Checks {
		if c.Status != doctor.OK && !(c.Status == doctor.NA && slices.Contains(notApplicable, c.ID)) {
			t.Errorf("%s: %s: %s %s", c.ID, c.Status, c.Seen, c.Cause)
		}
	}
	if rooms := s.lk.Rooms(); len(rooms) > 0 {
		t.Errorf("rooms that the probes made are still there: %v", rooms)
	}
}
