package sfutest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"

	"matrixrtc-auth/sfu"
)

// Server is a fake SFU that listens on 127.0.0.1.
type Server struct {
	*SFU
	http        *httptest.Server
	connections atomic.Int64
}

// NewServer starts a fake SFU that knows the one key. Close it.
func NewServer(key sfu.Key) *Server {
	s := &Server{SFU: New(key)}
	s.http = httptest.NewUnstartedServer(s.SFU)
	s.http.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.http.Start()
	return s
}

// URL returns what clients of the SFU are told: "ws://127.0.0.1:PORT".
func (s *Server) URL() string { return "ws" + strings.TrimPrefix(s.http.URL, "http") }

// APIURL returns the http form of URL, where the Room API is.
func (s *Server) APIURL() *url.URL {
	u, err := url.Parse(s.http.URL)
	if err != nil {
		panic(err) // httptest made it
	}
	return u
}

// Connections returns how many connections were ever accepted.
func (s *Server) Connections() int { return int(s.connections.Load()) }

// Close stops the server; calls that still hang are cut off.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}
