package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"matrixrtc-auth/matrix/matrixtest"
)

// serveForTest starts the fake homeserver and the baseline, a simple token server
// with which the benchmark compares the service. They run in the test's process.
func serveForTest(t *testing.T) (h *homeserver, addr string) {
	t.Helper()
	ca := matrixtest.NewCA()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := pooledClient(caFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	listener := listen(t)
	h = &homeserver{name: listener.Addr().String()}
	go h.accept(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{ca.Certificate("127.0.0.1")}}))

	clients := listen(t)
	go http.Serve(clients, http.HandlerFunc((&baseline{sfuURL: "ws://sfu", client: client}).getToken))
	return h, clients.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLoadCount(t *testing.T) {
	h, addr := serveForTest(t)
	plan := loadPlan{Addr: addr, Connections: 4, Server: h.name, Count: 120, WithInvalid: true}
	r, err := carryOut(plan)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != plan.Count || r.Wrong != 0 {
		t.Errorf("%d requests, %d wrong (%s), want %d right", r.Requests, r.Wrong, r.Problem, plan.Count)
	}
	// Every sixth request has broken JSON. For such a request, the measured server
	// (here the baseline) does not ask the homeserver.
	if got, want := h.requests.Load(), int64(100); got != want {
		t.Errorf("the homeserver was asked %d times, want %d", got, want)
	}
	if r.P50 <= 0 || r.P99 < r.P50 || r.Max < r.P99 || len(r.CPU) != 1 {
		t.Errorf("got %+v, want P50, P99 and Max that rise, and one process", r)
	}
}

func TestLoadDuration(t *testing.T) {
	h, addr := serveForTest(t)
	plan := loadPlan{
		Addr: addr, Connections: 2, Server: h.name, PIDs: []int{os.Getpid()},
		Warmup: 20 * time.Millisecond, Duration: 500 * time.Millisecond, // on a busy machine, the first answer can take more than 50 ms
	}
	r, err := carryOut(plan)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests == 0 || r.Wrong != 0 || r.Elapsed < plan.Duration || len(r.CPU) != 2 {
		t.Errorf("got %+v, want right requests for %v or longer, and two processes", r, plan.Duration)
	}
}

func TestLoadFindsWrongAnswers(t *testing.T) {
	h, addr := serveForTest(t)
	r, err := carryOut(loadPlan{Addr: addr, Connections: 1, Server: "127.0.0.1:1", Count: 3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Wrong != 3 || r.Problem == "" {
		t.Errorf("%d wrong answers (%q), want all three", r.Wrong, r.Problem)
	}
	if h.accepted.Load() != 0 {
		t.Errorf("requests to the wrong homeserver: got %d connections, want 0", h.accepted.Load())
	}
}

func TestHomeserverGoesQuiet(t *testing.T) {
	h, addr := serveForTest(t)
	if _, err := carryOut(loadPlan{Addr: addr, Connections: 1, Server: h.name, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if got := h.goQuiet().(counts); got.Accepted != 1 || got.Requests != 1 {
		t.Fatalf("counts = %+v, want one connection and one request", got)
	}
	// The fake homeserver numbers its connections from 1. It has stopped answering
	// on all connections whose number is at most silent. That must be the only
	// connection so far, number 1, so that it still answers on new connections.
	if got := h.silent.Load(); got != 1 {
		t.Errorf("connections up to number %d are silent, want 1", got)
	}
}
