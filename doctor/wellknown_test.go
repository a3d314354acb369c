package doctor

import "testing"

// TestAllFoci: each livekit_service_url is looked at, not only the first.
func TestAllFoci(t *testing.T) {
	for second, want := range map[string]string{
		"https://two.matrix.test":  "",
		"wss://two.matrix.test":    "foci-wss",
		"https://two.matrix.test/": "foci-slash",
		"https://jwt.domain.tld":   "foci-example",
	} {
		s := &server{document: &clientWellKnown{Foci: []focus{
			{Type: "livekit", Service: "https://jwt.matrix.test"}, {Type: "other"}, {Type: "livekit", Service: second},
		}}}
		e := &exam{servers: []*server{s}}
		f := e.foci(t.Context(), s)
		if got := nameOf(f); got != want {
			t.Errorf("%s: %q, want %q: %s", second, got, want, f.Seen)
		}
	}
}
