package doctor_test

import (
	"maps"
	"slices"
	"testing"
)

// TestMixed breaks the stack in more ways than one for each cause, and in
// several at once. Every check that names a cause is expected, with it.
func TestMixed(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(mixed)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			mixed[name].change(s)
			report := s.examine()
			var got []string
			for _, c := range report.Checks {
				if c.CauseID() != "" {
					got = append(got, c.ID+" "+c.CauseID())
				}
			}
			if !slices.Equal(got, mixed[name].want) {
				t.Errorf("%q, want %q; seen is:\n%s", got, mixed[name].want, text(report))
			}
		})
	}
}

// mixed are the changes, by a name, and what is found then, in the order of
// the report.
var mixed = map[string]struct {
	change func(*stack)
	want   []string
}{
	"a value of the wrong kind in livekit.yaml": {
		replace("auto_create: false", "auto_create: [no]"),
		[]string{"livekit.file livekit-yaml"},
	},
	"a value of the wrong kind in livekit.yaml without a port for TCP": {
		func(s *stack) { s.files["/etc/livekit.yaml"] = "port: 7880\nroom:\n  auto_create: [no]\n" },
		[]string{"livekit.file livekit-yaml"},
	},
	"a LIVEKIT_URL that the service refuses": {
		set("LIVEKIT_URL", "wss://sfu.example.org?token=another-secret"),
		[]string{"config.environment config-refused"},
	},
	"a LIVEKIT_INTERNAL_URL that the service refuses": {
		set("LIVEKIT_INTERNAL_URL", "http://livekit:7880?token=another-secret"),
		[]string{"config.environment config-refused"},
	},
}
