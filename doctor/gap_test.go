package doctor_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
)

func init() {
	maps.Copy(mixed, gapMixed)
	maps.Copy(breaks, gapBreaks)
}

// serverDocument replaces the answer to requests for .well-known/matrix/server
// at the server name's host.
func serverDocument(answer http.Handler) func(*stack) {
	return func(s *stack) {
		s.anonymous()
		s.wellKnown = func(host string) http.Handler {
			if host != apexHost {
				return document(goodDocument)
			}
			return at("/.well-known/matrix/server", answer.ServeHTTP)(document(goodDocument))
		}
	}
}

// nobodyAt8448 makes connections to the homeserver's port 8448 fail.
func nobodyAt8448(s *stack) { s.routes["tcp "+apexIP+":8448"] = "127.0.0.1:1" }

// hanging accepts a request and never answers.
func hanging(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

var gapBreaks = map[string]func(*stack){
	"delegation-unread":   both(serverDocument(http.HandlerFunc(hanging)), nobodyAt8448),
	"delegation-invalid":  both(serverDocument(document(`{"m.server":"https://matrix.example.org"}`)), nobodyAt8448),
	"delegation-doubtful": serverDocument(failing(http.StatusInternalServerError)),
}

// gapMixed are stacks in which doctor asks where the homeserver is, and gets a
// wrong answer or no answer. Each entry lists all findings that doctor must
// report.
var gapMixed = map[string]mix{
	"an error in the place of .well-known/matrix/server, and a website at port 8448": {
		both(serverDocument(failing(http.StatusInternalServerError)), func(s *stack) {
			s.fed = func(http.Handler) http.Handler { return answeringPage("<!doctype html><title>Home</title>") }
		}),
		[]string{"homeserver.userinfo delegation-unread"},
	},
	"the router leads nothing back inside, and nobody is at port 8448": {
		func(s *stack) {
			s.anonymous()
			s.dns[apexHost] = []string{"203.0.113.9"}
			s.routes["tcp 203.0.113.9:443"], s.routes["tcp 203.0.113.9:8448"] = "silent", "127.0.0.1:1"
		},
		[]string{"homeserver.addresses hairpin", "homeserver.userinfo federation-unreachable"},
	},
	"an error there, and a homeserver without openid at port 8448": {
		both(serverDocument(failing(http.StatusInternalServerError)), func(s *stack) {
			s.fed = at("/openid/userinfo", matrixError(http.StatusNotFound, "M_UNRECOGNIZED"))
		}),
		[]string{"homeserver.userinfo openid-not-served"},
	},
	"a page there, and nobody at port 8448": {
		both(serverDocument(answeringPage("<html>Home</html>")), nobodyAt8448),
		[]string{"homeserver.userinfo delegation-invalid"},
	},
	"the name server knows nothing of service records, and nobody is at port 8448": {
		both(serverDocument(http.NotFoundHandler()), nobodyAt8448, func(s *stack) { s.deaf = true }),
		[]string{"homeserver.userinfo dns-broken"},
	},
	"the name server knows nothing of service records, which nobody needs": {
		both(serverDocument(http.NotFoundHandler()), func(s *stack) { s.deaf = true }),
		nil,
	},
}

func answeringPage(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(text))
	})
}

// deafDNS dials a name server that never answers.
func deafDNS(context.Context, string, string) (net.Conn, error) { return nil, context.DeadlineExceeded }

// TestNameWithoutPort has a name without a port in .well-known/matrix/server.
// Such a name means port 8448. The remedy must say that the operator probably
// meant port 443.
func TestNameWithoutPort(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.anonymous()
	delegated(matrixHost)(s)
	for _, c := range s.examine().Checks {
		if want := "matrix.example.org:443 means the port of HTTPS"; c.ID == "homeserver.userinfo" && !strings.Contains(c.Remedy, want) {
			t.Errorf("remedy of %s: got %s, want %q in it", c.CauseID, c.Remedy, want)
		}
	}
}
