package service

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
)

// TestManyNamesAtOneAddress checks 400 homeservers that share one address, as
// at a large provider. 8 clients ask for tokens at the same time, and every
// request must get a token. Each homeserver needs two connections, and the
// address may have 128.
func TestManyNamesAtOneAddress(t *testing.T) {
	const names, clients = 400, 8
	h := newCrowdedHandler(t)
	answers := make(chan int, names)
	var wg sync.WaitGroup
	var next atomic.Int32
	for range clients {
		wg.Go(func() {
			for i := next.Add(1); i <= names; i = next.Add(1) {
				body := fmt.Sprintf(`{"room":"!room:n%d.test","openid_token":{"access_token":"token","matrix_server_name":"n%d.test"},"device_id":"D"}`, i, i)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sfu/get", strings.NewReader(body)))
				answers <- w.Code
			}
		})
	}
	wg.Wait()
	close(answers)
	byStatus := map[int]int{}
	for status := range answers {
		byStatus[status]++
	}
	if byStatus[http.StatusOK] != names {
		t.Errorf("answers %v, want %d × 200", byStatus, names)
	}
}

// newCrowdedHandler returns the service's handler in an internet in which every
// name has the same address. The well-known document of each homeserver
// delegates it to port 8448.
func newCrowdedHandler(t *testing.T) http.Handler {
	t.Helper()
	ca := matrixtest.NewCA()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/matrix/server" {
			fmt.Fprintf(w, `{"m.server":"%s:8448"}`, r.Host)
			return
		}
		host, _, _ := strings.Cut(r.Host, ":")
		fmt.Fprintf(w, `{"sub":"@alice:%s"}`, host)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Certificate("*.test")}}
	server.StartTLS()
	t.Cleanup(server.Close)

	cfg := &config.Config{
		Keys:            []sfu.Key{{ID: "key", Secret: secret.New("a-secret-of-the-tests-0123456789")}},
		APIURL:          &url.URL{Scheme: "http", Host: "127.0.0.1:9"},
		RootCAs:         rootsOf(t, ca),
		AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		RateLimit:       config.RateLimit{PerMinute: 60, Burst: 60},
	}
	h := share(cfg).newHandler(parts{})
	verifier := h.Access.Verifier.(*matrix.Verifier)
	verifier.Resolver.DNS = matrixtest.NewNetwork().Resolver()
	other := verifier.Resolver.OtherTransport
	dial := other.Dial
	other.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, server.Listener.Addr().String())
	}
	t.Cleanup(other.CloseIdleConnections)
	return h.Routes()
}
