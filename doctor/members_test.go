package doctor_test

import (
	"strings"
	"testing"

	"matrixrtc-auth/handler"
)

// TestMembership checks how doctor describes a service that removes people who
// are not joined (that enforces membership), if nothing is wrong.
func TestMembership(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*handler.MembershipStatus)
		want   string
	}{
		{"local", func(*handler.MembershipStatus) {},
			"for those who were known to be joined, and users of example.org must be (7 on LiveKit; the service does not check 3 other sessions); " +
				"the last sweep began 12s ago, there is one every 30s; events are pushed, the last of a membership at 2026-01-02T03:04:05Z; "},
		{"on", func(m *handler.MembershipStatus) { m.Required = "on" }, "is enforced for everyone (7 "},
		{"off", func(m *handler.MembershipStatus) { m.Required = "off" }, "were known to be joined (7 "},
		{"elsewhere", func(m *handler.MembershipStatus) { m.Elsewhere = true }, "another replica sweeps"},
		{"stretched", func(m *handler.MembershipStatus) { m.Interval, m.Lag = 2000, 1900 }, "one every 33m20s"},
		{"no sweeps", func(m *handler.MembershipStatus) { m.Interval = 0 }, "sweeps are off"},
		{"not yet", func(m *handler.MembershipStatus) { m.SweepAge, m.LastEvent = nil, nil }, "no sweep yet; events are pushed, none of a membership yet"},
		{"an account", func(m *handler.MembershipStatus) {
			m.Account, m.Unseen = &handler.AccountStatus{User: "@rtc:example.org", Answers: true}, 4
		}, "as far as the account @rtc:example.org sees their rooms (it does not see the rooms of 4 people) (7 "},
		{"no pushes", func(m *handler.MembershipStatus) { m.Pushed = false }, "the homeserver pushes no events"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			enforcing(tt.change)(s)
			for _, c := range s.examine().Checks {
				if c.ID == "service.membership" && (c.CauseID != "" || !strings.Contains(c.Seen, tt.want)) {
					t.Errorf("%s %q, want no fault and %q", c.CauseID, c.Seen, tt.want)
				}
			}
		})
	}
}

// TestAttributesThatDo checks that doctor accepts a limit for attributes that
// is large enough. It must also accept 0, which means no limit, and a missing
// limit, which means 64 KiB.
func TestAttributesThatDo(t *testing.T) {
	for limit, want := range map[string]string{
		"": "is not set", "limit: {max_attributes_size: 0}\n": "is 0", "limit: {max_attributes_size: 816}\n": "is 816",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			replace("port: 7880\n", "port: 7880\n"+limit)(s)
			for _, c := range s.examine().Checks {
				if c.ID == "livekit.attributes" && (c.CauseID != "" || !strings.HasSuffix(c.Seen, want)) {
					t.Errorf("%s %q, want no fault and %q", c.CauseID, c.Seen, want)
				}
			}
		})
	}
}
