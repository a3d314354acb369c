package sfu_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

const apiSecret = "a-secret-of-at-least-thirty-two-bytes"

var key = sfu.Key{ID: "devkey", Secret: secret.New(apiSecret)}

// memory is a network without sockets. Tests in a synctest bubble need such a
// network, because the bubble's clock stands still while a goroutine waits for
// a real socket.
type memory struct {
	conns chan net.Conn
	dials atomic.Int64
	done  chan struct{}
}

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	m.dials.Add(1)
	m.conns <- theirs
	return ours, nil
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { close(m.done); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// inMemory serves handler on a new network in memory, and returns a client for
// that server.
func inMemory(t *testing.T, handler http.Handler) (*sfu.Client, *memory) {
	t.Helper()
	network := &memory{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: handler}
	go server.Serve(network)
	client := dialing(t, network.dial)
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return sfu.NewClient(&url.URL{Scheme: "http", Host: "sfu.example.org"}, sfu.Always(key), client), network
}

// dialing returns a client that NewHTTPClient has made. The client connects with
// the function dial.
func dialing(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	t.Helper()
	client := sfu.NewHTTPClient(nil, nil)
	client.Transport.(*http.Transport).DialContext = dial
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// start starts a fake SFU and returns a client for it.
func start(t *testing.T) (*sfu.Client, *sfutest.Server) {
	t.Helper()
	server := sfutest.NewServer(key)
	t.Cleanup(server.Close)
	return sfu.NewClient(server.APIURL(), sfu.Always(key), httpClient(t)), server
}

func httpClient(t *testing.T) *http.Client {
	t.Helper()
	client := sfu.NewHTTPClient(nil, nil)
	t.Cleanup(client.CloseIdleConnections)
	return client
}
