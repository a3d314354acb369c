package matrix_test

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestUses checks the Use of a server that the operator named. By mistake, this
// service first sends the requests for that server to a website. Then it sends
// them to the server's homeserver.
func TestUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, apex, hs := misled(t, noHomeserver["no such page"], "a.test", "b.test")
		if got := w.verifier.Uses(); len(got) != 0 {
			t.Errorf("before any request: got %+v, want none", got)
		}
		use := func() matrix.Use {
			t.Helper()
			w.verify(t, hs, "@alice:a.test")
			got := w.verifier.Uses()
			if len(got) != 1 || got[0].Server.String() != "a.test" || len(got[0].Destination.Addrs) != 1 {
				t.Fatalf("uses = %+v, want one of a.test", got)
			}
			return got[0]
		}
		start := time.Now()
		time.Sleep(5 * time.Second)
		first := use()
		if first.Destination.Addrs[0] != "web.test:443" || first.Destination.FoundBy != matrix.FoundByWellKnown ||
			first.Cause != matrix.CauseStatus || first.Status != 404 || first.Answered {
			t.Errorf("at the website: got %+v, want web.test:443 by its well-known, status 404, not answered", first)
		}
		apex.Delegate("b.test:443")
		time.Sleep(10 * time.Second)
		second := use()
		if second.Destination.Addrs[0] != "b.test:443" || second.Cause != "" || second.Status != 0 || !second.Answered ||
			!second.Since.Equal(start.Add(15*time.Second)) {
			t.Errorf("at the homeserver: got %+v, want b.test:443 since 15 s after the start, answered, no cause", second)
		}
		time.Sleep(2 * time.Hour)
		w.ask(t, "a.test", 0)
		third := w.verifier.Uses()[0]
		if !third.Since.Equal(second.Since) || !third.At.Equal(time.Now()) || third.Cause != matrix.CauseStatus || third.Status != 401 || !third.Answered {
			t.Errorf("with a bad token, two hours later: got %+v, want status 401 now, answered, since %v", third, second.Since)
		}
		w.ask(t, "stranger.test", 0)
		if got := w.verifier.Uses(); len(got) != 1 {
			t.Errorf("after a stranger's server: got %+v, want the named one alone", got)
		}
	})
}

// TestFoundBy checks that each destination says which step of discovery found
// it.
func TestFoundBy(t *testing.T) {
	for want, prepare := range map[matrix.FoundBy]func(w *world) (server string){
		matrix.FoundByOverride: func(w *world) string {
			w.resolver.Overrides = map[matrix.ServerName]*url.URL{matrixtest.ServerName(w.t, "a.test"): {Scheme: "https", Host: "inside.test"}}
			return "a.test"
		},
		matrix.FoundByName:      func(*world) string { return "a.test:99" },
		matrix.FoundByWellKnown: func(w *world) string { w.delegate("a.test", "b.test:443"); return "a.test" },
		matrix.FoundByWellKnownSRV: func(w *world) string {
			w.delegate("a.test", "b.test")
			w.SetSRV("_matrix-fed._tcp.b.test", matrixtest.SRV{Target: "c.test", Port: 7000})
			return "a.test"
		},
		matrix.FoundBySRV: func(w *world) string {
			w.SetSRV("_matrix._tcp.a.test", matrixtest.SRV{Target: "c.test", Port: 7000})
			return "a.test"
		},
		matrix.FoundByDefault: func(*world) string { return "a.test" },
	} {
		t.Run(string(want), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				server := prepare(w)
				d, err := w.resolver.Resolve(t.Context(), matrixtest.ServerName(t, server), nobody)
				if err != nil || d.FoundBy != want {
					t.Errorf("%s: found by %q, %v, want %q", server, d.FoundBy, err, want)
				}
			})
		})
	}
}

// delegate adds a server to w. The parameter from is its server name. Its
// well-known document delegates this name to the name in the parameter to.
func (w *world) delegate(from, to string) {
	apex := &matrixtest.Homeserver{}
	apex.Delegate(to)
	w.Serve(from+":443", apex)
}
