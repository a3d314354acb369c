package outbound_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix/matrixtest"
)

const maxHandshake = 32 << 10

// certified starts a TLS server on loopback that has the certificate cert.
func certified(t testing.TB, cert tls.Certificate, version uint16) (addr string) {
	addr, _ = configured(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version})
	return addr
}

func configured(t testing.TB, config *tls.Config) (addr string, conns *atomic.Int32) {
	t.Helper()
	conns = new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.TLS = config
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), conns
}

func hello(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

// counting is a connection that counts the bytes that are read from it.
type counting struct {
	net.Conn
	read *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// limited returns a transport that reads at most maxHandshake bytes in a
// handshake. read counts all bytes that the transport has read.
func limited(t testing.TB, config *tls.Config) (tr *outbound.Transport, read *atomic.Int64) {
	read = new(atomic.Int64)
	tr = &outbound.Transport{
		TLS:  config,
		Pool: &outbound.Pool{MaxHandshake: maxHandshake, MaxHandshakes: 2 << 20},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(outbound.Dialer).DialContext(ctx, network, addr)
			return counting{c, read}, err
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr, read
}

func visitAt(t testing.TB, tr *outbound.Transport, addr, name string) error {
	_, _, err := tr.Get(t.Context(), outbound.Route{Scheme: "https", Addr: addr, TLSName: name}, name, "/", 100)
	return err
}

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// TestHandshakeEndsAtItsBound checks a server that sends 196 kB of certificates.
// The transport must read no more than the bound on a handshake.
func TestHandshakeEndsAtItsBound(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			ca := matrixtest.NewCA()
			cert := behind(ca.Certificate("127.0.0.1"), matrixtest.Junk(700)...)
			tr, read := limited(t, &tls.Config{RootCAs: ca.Pool()})
			err := visitAt(t, tr, certified(t, cert, version), "127.0.0.1")
			if outbound.Cause(err) != outbound.CauseTLS || !strings.Contains(fmt.Sprint(err), "32768") {
				t.Errorf("err = %v, want one of TLS that names 32768 bytes", err)
			}
			if got := read.Load(); got != maxHandshake {
				t.Errorf("%d bytes were read, want %d", got, maxHandshake)
			}
		})
	}
}

// TestLargeHonestChain checks that a chain of RSA-4096 certificates with 250
// names is within all bounds. The transport must also reuse the connection.
func TestLargeHonestChain(t *testing.T) {
	var names []string
	for i := range 250 {
		names = append(names, fmt.Sprintf("a-rather-long-name-of-a-customer-%03d.hosting.example.org", i))
	}
	cert, pool := matrixtest.LargeChain(names...)
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			tr, read := limited(t, &tls.Config{RootCAs: pool})
			addr := certified(t, cert, version)
			for range 2 {
				if err := visitAt(t, tr, addr, names[249]); err != nil {
					t.Fatal(err)
				}
			}
			if got := read.Load(); got < 17_000 || got > 25_000 {
				t.Errorf("got %d bytes for a handshake of some 18 kB and two answers, want 17,000 to 25,000", got)
			}
		})
	}
}

// TestChainsThatTakeMuchMemory checks that the transport refuses chains that
// have few bytes but would take much memory.
func TestChainsThatTakeMuchMemory(t *testing.T) {
	ca := matrixtest.NewCA()
	own := ca.Certificate("127.0.0.1")
	for name, c := range map[string]struct {
		cert tls.Certificate
		want string // a part of the error's text; "" if the chain is accepted
	}{
		"11 certificates": {behind(own, matrixtest.Junk(10)...), "11 certificates"},
		"10 certificates": {behind(own, matrixtest.Junk(9)...), ""},
		"550 names":       {behind(own, matrixtest.NewBulky(550, 0).Next()), "at most 500"},
		"450 names":       {behind(own, matrixtest.NewBulky(450, 0).Next()), ""},
	} {
		t.Run(name, func(t *testing.T) {
			addr := certified(t, c.cert, tls.VersionTLS13)
			tr, _ := limited(t, &tls.Config{RootCAs: ca.Pool()})
			err := visitAt(t, tr, addr, "127.0.0.1")
			if refused := outbound.Cause(err) == outbound.CauseTLS; refused != (c.want != "") || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("err = %v, want %q in it", err, c.want)
			}
			unlimited := &outbound.Transport{TLS: &tls.Config{RootCAs: ca.Pool()}}
			t.Cleanup(unlimited.CloseIdleConnections)
			if err := visitAt(t, unlimited, addr, "127.0.0.1"); err != nil {
				t.Errorf("without a bound: got %v, want no error", err)
			}
		})
	}
}

func behind(cert tls.Certificate, more ...[]byte) tls.Certificate {
	cert.Certificate = append(slices.Clone(cert.Certificate), more...)
	return cert
}

// TestLargeSessionTickets checks the bound on session tickets, which a server sends
// after the handshake and which belong to no answer. If the tickets made the
// connection's buffers large, the transport must not reuse the connection.
func TestLargeSessionTickets(t *testing.T) {
	for name, c := range map[string]struct {
		ticket   int // the size of a session ticket in bytes
		accepted bool
		conns    int32 // how many connections three requests take
	}{
		"usual":  {500, true, 1},
		"large":  {12 << 10, true, 3},
		"absurd": {60 << 10, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			ca := matrixtest.NewCA()
			addr, conns := configured(t, &tls.Config{
				Certificates: []tls.Certificate{ca.Certificate("127.0.0.1")},
				WrapSession: func(tls.ConnectionState, *tls.SessionState) ([]byte, error) {
					return make([]byte, c.ticket), nil
				},
			})
			config := &tls.Config{RootCAs: ca.Pool()}
			config.ClientSessionCache = &outbound.Sessions{} // without a cache for sessions, Go's server would send no tickets
			tr, _ := limited(t, config)
			for range 3 {
				if err := visitAt(t, tr, addr, "127.0.0.1"); (err == nil) != c.accepted {
					t.Errorf("err = %v, want accepted: %v", err, c.accepted)
				}
			}
			if got := conns.Load(); got != c.conns {
				t.Errorf("%d connections for 3 requests, want %d", got, c.conns)
			}
		})
	}
}

// TestFailedHandshakesHoldNothing checks that the bytes of a failed handshake no
// longer count toward the bound Pool.MaxHandshakes, so that a later handshake
// succeeds.
func TestFailedHandshakesHoldNothing(t *testing.T) {
	ca := matrixtest.NewCA()
	bad := certified(t, ca.Certificate("other.test"), tls.VersionTLS13)
	good := certified(t, ca.Certificate("127.0.0.1"), tls.VersionTLS13)
	tr, _ := limited(t, &tls.Config{RootCAs: ca.Pool()})
	tr.Pool = &outbound.Pool{MaxHandshake: maxHandshake, MaxHandshakes: 2 * maxHandshake}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if err := visitAt(t, tr, bad, "127.0.0.1"); outbound.Cause(err) != outbound.CauseTLS {
					t.Errorf("err = %v, want one of TLS", err)
				}
			}
		})
	}
	wg.Wait()
	if err := visitAt(t, tr, good, "127.0.0.1"); err != nil {
		t.Errorf("visitAt: got %v, want no error", err)
	}
}
