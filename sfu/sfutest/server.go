package sfutest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"

	"matrixrtc-auth/internal/listen"
	"matrixrtc-auth/sfu"
)

// Server is a fake SFU that listens on 127.0.0.1.
type Server struct {
	*SFU
	address     string // the host:port at which the server listens
	connections atomic.Int64

	mu   sync.Mutex
	http *httptest.Server
}

// NewServer starts a fake SFU. The arguments are those of New. The caller must
// close the server.
func NewServer(key sfu.Key, ids ...string) *Server {
	s := &Server{SFU: New(key, ids...), address: "127.0.0.1:0"}
	s.Up()
	s.address = s.http.Listener.Addr().String()
	return s
}

// Up makes a server listen again after Down, at the same address as before.
func (s *Server) Up() {
	listener, err := listen.TCP(s.address)
	if err != nil {
		panic("sfutest: " + err.Error()) // another program has taken the address
	}
	h := httptest.NewUnstartedServer(s.SFU)
	h.Listener.Close()
	h.Listener = listener
	h.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	h.Start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http = h
}

// Down closes the server's connections, and makes it refuse new ones until Up
// is called. Rooms and sessions stay, unless Forget ends them.
func (s *Server) Down() {
	s.mu.Lock()
	h := s.http
	s.mu.Unlock()
	h.CloseClientConnections()
	h.Close()
}

// Restart makes the server lose all rooms and sessions, as LiveKit does without
// Redis, and closes its connections. The server immediately accepts new
// connections.
func (s *Server) Restart() {
	s.Forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http.CloseClientConnections()
}

// URL returns the SFU's URL for clients: "ws://127.0.0.1:PORT".
func (s *Server) URL() string { return "ws://" + s.address }

// APIURL returns the URL of the Room API: "http://127.0.0.1:PORT".
func (s *Server) APIURL() *url.URL { return &url.URL{Scheme: "http", Host: s.address} }

// Connections returns how many connections the server has accepted so far.
func (s *Server) Connections() int { return int(s.connections.Load()) }

// Close stops the server and breaks off running calls.
func (s *Server) Close() { s.Down() }
