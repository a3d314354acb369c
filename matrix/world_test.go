package matrix_test

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"testing"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// world is a network in memory, and a verifier that uses this network.
type world struct {
	*matrixtest.Network
	t        *testing.T
	resolver *matrix.Resolver
	verifier *matrix.Verifier
	named    []string // the servers that the operator named
}

func newWorld(t *testing.T, named ...string) *world {
	w := &world{Network: matrixtest.NewNetwork(), t: t, named: named}
	transport := func() *outbound.Transport {
		return &outbound.Transport{Dial: w.Dial, TLS: &tls.Config{RootCAs: w.CA.Pool()}}
	}
	namedTransport, otherTransport := transport(), transport()
	w.resolver = &matrix.Resolver{
		DNS: w.Resolver(),
		Servers: matrix.Servers{
			Named:          func(s matrix.ServerName) bool { return slices.Contains(w.named, s.String()) },
			NamedTransport: namedTransport,
			OtherTransport: otherTransport,
		},
	}
	w.verifier = &matrix.Verifier{Resolver: w.resolver}
	t.Cleanup(func() {
		namedTransport.CloseIdleConnections()
		otherTransport.CloseIdleConnections()
		w.Close()
	})
	return w
}

// nobody stands for a client's network in tests in which that network does not
// matter.
var nobody netip.Prefix

// verify makes hs issue a token for user, and verifies this token. It returns
// the user to whom the token belongs.
func (w *world) verify(t *testing.T, hs *matrixtest.Homeserver, user string) (string, error) {
	t.Helper()
	id, err := w.verifier.Verify(t.Context(), tokenOf(t, hs, user), matrix.UserID{}, nobody)
	return id.String(), err
}

func tokenOf(t testing.TB, hs *matrixtest.Homeserver, user string) matrix.OpenIDToken {
	t.Helper()
	return matrix.OpenIDToken{AccessToken: secret.New(hs.IssueToken(user)), Server: matrixtest.UserID(t, user).Server()}
}
