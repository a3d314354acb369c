package outbound_test

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/internal/outbound"
)

func TestHandshakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &outbound.Transport{Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go io.Copy(io.Discard, theirs)
			return ours, nil
		}}
		start := time.Now()
		_, err := get(&http.Client{Transport: tr}, "https://a.test")
		if outbound.Cause(err) != outbound.CauseTimeout || time.Since(start) > 5*time.Second {
			t.Errorf("got %v after %v, want the cause %s within 5 s", err, time.Since(start), outbound.CauseTimeout)
		}
	})
}

func TestTLSSessionsAreResumed(t *testing.T) {
	var resumed atomic.Int32
	s, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		w.Header().Set("Connection", "close")
	})
	tr := &outbound.Transport{}
	c := client(t, s, tr)
	tr.TLS = tr.TLS.Clone()
	tr.TLS.ClientSessionCache = new(outbound.Sessions)
	for range 3 {
		if _, err := get(c, s.URL); err != nil {
			t.Fatal(err)
		}
	}
	if got := resumed.Load(); got != 2 {
		t.Errorf("%d of 2 later connections resumed the session, want 2", got)
	}
}

// TestRootsChange checks that every handshake uses the current certificates of
// Roots. CloseIdleConnections must close connections that only the former
// certificates allowed.
func TestRootsChange(t *testing.T) {
	s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {})
	tr := &outbound.Transport{}
	c := client(t, s, tr)
	trusted := tr.TLS.RootCAs
	var roots atomic.Pointer[x509.CertPool]
	tr.Roots = roots.Load
	roots.Store(trusted)
	if _, err := get(c, s.URL); err != nil {
		t.Fatal(err)
	}
	roots.Store(x509.NewCertPool())
	tr.CloseIdleConnections()
	if _, err := get(c, s.URL); err == nil || outbound.Cause(err) != outbound.CauseTLS {
		t.Errorf("with roots that the server is not of: %v, want a fault of TLS", err)
	}
	roots.Store(trusted)
	if _, err := get(c, s.URL); err != nil {
		t.Errorf("with the former roots again: got %v, want no error", err)
	}
}
