package causes

import "testing"

// TestLinked checks that linked turns the first use of a term into a link to
// its explanation. It must not do so in code, or in the section that explains
// the term.
func TestLinked(t *testing.T) {
	for _, c := range []struct{ text, id, want string }{
		{"two OpenID tokens, one OpenID token", "", "two [OpenID tokens](architecture.md#words), one OpenID token"},
		{"`a ticket` and a ticket", "", "`a ticket` and a [ticket](security.md#tickets)"},
		{"NAT loopback", "media-hairpin", "[NAT loopback](#hairpin)"},
		{"NAT loopback", "hairpin", "NAT loopback"},
		{"tickets2", "", "tickets2"},
	} {
		t.Run(c.text+" in "+c.id, func(t *testing.T) {
			if got := linked(c.text, c.id); got != c.want {
				t.Errorf("linked(%q, %q): got %q, want %q", c.text, c.id, got, c.want)
			}
		})
	}
}

// TestAfter checks that the function after returns the command that applies a
// change of a file. If the remedy itself names such a command, after must
// return "".
func TestAfter(t *testing.T) {
	const compose, liveKit = "a change in `.env` or `compose.yaml`, run `docker compose up -d`", "a change in `livekit.yaml`, run `docker compose restart livekit`"
	for remedy, want := range map[string]string{
		"Set LIVEKIT_DELEGATION=on.":                             compose,
		"Set rtc.tcp_port to 7881.":                              liveKit,
		"Write it into livekit.yaml, or set LIVEKIT_KEY.":        compose + "; after " + liveKit,
		"Set it in livekit.yaml, and restart LiveKit.":           "",
		"Set LIVEKIT_URL, and create the container again.":       "",
		"Set matrix_rtc in homeserver.yaml.":                     "a change in `homeserver.yaml`, run `docker compose restart synapse`",
		"Make an A record of turn.example.org for that machine.": "",
	} {
		t.Run(remedy, func(t *testing.T) {
			if got := after(remedy); got != want {
				t.Errorf("after(%q): got %q, want %q", remedy, got, want)
			}
		})
	}
}
