package service

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/logqueue"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
)

// rootsOf returns trusted certificates: only that of the test's authority.
func rootsOf(t *testing.T, ca *matrixtest.CA) *config.Roots {
	t.Helper()
	roots, err := config.ParseRoots(ca.PEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

// TestStrangersLeaveNothing checks 1,000 servers that the operator did not
// name. They have large certificates. When the service has closed the
// connections to these servers, it must not keep their certificates. It may
// keep TLS sessions only of servers that the operator named.
func TestStrangersLeaveNothing(t *testing.T) {
	ca := matrixtest.NewCA()
	servers := share(&config.Config{
		Keys:            []sfu.Key{{ID: "key", Secret: secret.New("a-secret-of-the-tests-0123456789")}},
		RootCAs:         rootsOf(t, ca),
		AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}).newServers()
	for name, c := range map[string]struct {
		tr      *outbound.Transport
		resumes bool
	}{"named": {servers.NamedTransport, true}, "other": {servers.OtherTransport, false}} {
		t.Run(name, func(t *testing.T) {
			defer c.tr.CloseIdleConnections()
			addr, resumed := hostileServer(t, ca)
			visit := func(n int) {
				for i := range n {
					server := fmt.Sprintf("n%d.test", i)
					route := outbound.Route{Scheme: "https", Addr: addr, TLSName: server}
					if _, _, err := c.tr.Get(t.Context(), route, server, "/", 100); err != nil {
						t.Fatal(err)
					}
				}
				c.tr.CloseIdleConnections()
			}
			visit(10)
			before := liveBytes()
			visit(1_000)
			grown := int(liveBytes()) - int(before)
			t.Logf("%d kB more are alive", grown>>10)
			if name == "other" && grown > 1<<20 {
				t.Errorf("%d kB more are alive, want at most 1024", grown>>10)
			}
			visit(10)
			visit(10)
			if got := resumed.Load() > 0; got != c.resumes {
				t.Errorf("sessions are resumed: %v, want %v", got, c.resumes)
			}
		})
	}
}

// share returns a value of the type shared, for a service with the
// configuration cfg and no log.
func share(cfg *config.Config) *shared {
	return &shared{
		cfg: cfg, credentials: newCredentials(cfg), strangers: newStrangers(), log: slog.New(slog.DiscardHandler),
		logStatus: func() logqueue.Status { return logqueue.Status{} },
	}
}

// hostileServer starts a server that sends 30 kB of certificates for every
// name. resumed counts the requests in resumed TLS sessions.
func hostileServer(t *testing.T, ca *matrixtest.CA) (addr string, resumed *atomic.Int32) {
	resumed = new(atomic.Int32)
	more, leaf := matrixtest.NewBulky(450, 30_000), ca.Certificate("*.test")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert := leaf
		cert.Certificate = append(slices.Clone(leaf.Certificate), more.Next())
		return &cert, nil
	}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), resumed
}

// liveBytes returns how many bytes are in use after it has collected all
// garbage, including garbage that finalizers free.
func liveBytes() uint64 {
	var stats runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestPortOf checks that portOf finds LiveKit's port in a URL without TLS. The
// test page names this port in its advice.
func TestPortOf(t *testing.T) {
	for address, want := range map[string]string{
		"http://livekit:7880": "7880", "http://[::1]:7890/": "7890", "http://livekit": "", "https://sfu.example.org:8443": "", "https://sfu.example.org": "",
	} {
		t.Run(address, func(t *testing.T) {
			api, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			if got := portOf(api); got != want {
				t.Errorf("portOf(%s) = %q, want %q", address, got, want)
			}
		})
	}
}
