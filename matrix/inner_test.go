package matrix_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// loopback returns a verifier that can ask servers on loopback. If named is
// true, all servers count as named by the operator. Otherwise no server does.
func loopback(t testing.TB, ca *matrixtest.CA, named bool) *matrix.Verifier {
	t.Helper()
	transport := func(permit func(netip.Addr) error) *outbound.Transport {
		dialer := &outbound.Dialer{Permit: permit}
		tr := &outbound.Transport{Dial: dialer.DialContext, TLS: &tls.Config{RootCAs: ca.Pool()}}
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	namedTransport, otherTransport := transport(nil), transport(outbound.PublicOnly(nil))
	return &matrix.Verifier{Resolver: &matrix.Resolver{Servers: matrix.Servers{
		Named:          func(matrix.ServerName) bool { return named },
		NamedTransport: namedTransport,
		OtherTransport: otherTransport,
	}}}
}

// raw sends exactly text as the answer, without the headers that net/http would
// add.
func raw(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(text))
}

// TestStrangersCannotNameInnerAddresses checks a server that the operator did
// not name, at an address that is not public. This service must not even
// connect to it.
func TestStrangersCannotNameInnerAddresses(t *testing.T) {
	hs := matrixtest.NewServer()
	defer hs.Close()
	v := loopback(t, hs.CA(), false)
	_, err := v.Verify(t.Context(), tokenOf(t, hs.Homeserver, hs.UserID("alice")), matrix.UserID{}, nobody)
	wantCause(t, err, matrix.CauseRefused)
	if accepted, _ := hs.Connections(); accepted != 0 {
		t.Errorf("got %d connections to the inner address, want none", accepted)
	}
}

// TestRedirectToLoopbackIsRefused checks a server that redirects the request
// for its well-known document to loopback. This service must not follow the
// redirect.
func TestRedirectToLoopbackIsRefused(t *testing.T) {
	inner := matrixtest.NewServer()
	defer inner.Close()
	w := newWorld(t)
	w.publicBeyond()
	apex := &matrixtest.Homeserver{}
	apex.ScriptWellKnown(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, inner.URL()+"/server.json", http.StatusFound)
	})
	w.Serve("a.test:443", apex)
	_, err := w.verify(t, apex, "@alice:a.test")
	wantCause(t, err, matrix.CauseConnect)
	if accepted, _ := inner.Connections(); accepted != 0 {
		t.Errorf("got %d connections to loopback by the redirect, want none", accepted)
	}
}

// TestDelegationToLoopbackIsRefused checks a server whose well-known document
// delegates to a loopback address. This service must not connect to that
// address.
func TestDelegationToLoopbackIsRefused(t *testing.T) {
	inner := matrixtest.NewServer()
	defer inner.Close()
	w := newWorld(t)
	w.publicBeyond()
	apex := &matrixtest.Homeserver{}
	apex.Delegate(inner.Name().String())
	w.Serve("a.test:443", apex)
	_, err := w.verify(t, apex, "@alice:a.test")
	wantCause(t, err, matrix.CauseRefused)
	if accepted, _ := inner.Connections(); accepted != 0 {
		t.Errorf("got %d connections to loopback by m.server, want none", accepted)
	}
}

// publicBeyond makes the world refuse connections to addresses that begin with
// 127, as the service does, because these addresses are not public. All other
// connections stay in memory.
func (w *world) publicBeyond() {
	real := outbound.Dialer{Permit: outbound.PublicOnly(nil)}
	w.resolver.OtherTransport.Dial =
		func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "127.") {
				return real.DialContext(ctx, network, addr)
			}
			return w.Dial(ctx, network, addr)
		}
}
