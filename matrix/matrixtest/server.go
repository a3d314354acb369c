package matrixtest

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"matrixrtc-auth/internal/listen"
	"matrixrtc-auth/matrix"
)

// Server is a homeserver on a loopback address, with TLS.
type Server struct {
	*Homeserver
	ca      *CA
	tls     *tls.Config
	address string // the host:port at which the server listens

	mu       sync.Mutex
	http     *httptest.Server
	conns    map[net.Conn]bool // the open connections
	accepted int
}

// Option is an option of [NewServer].
type Option func(*options)

type options struct {
	listen string
	ca     *CA
	names  []string
}

// Listen makes the server listen at address, a host:port on loopback. Without
// this option, the server listens on 127.0.0.1 and a free port.
func Listen(address string) Option { return func(o *options) { o.listen = address } }

// SignedBy makes ca sign the server's certificate. Without this option, a new
// CA signs the certificate.
func SignedBy(ca *CA) Option { return func(o *options) { o.ca = ca } }

// CertifiedFor sets the names in the server's certificate. Without this option,
// the certificate is for the loopback addresses and "localhost".
func CertifiedFor(names ...string) Option { return func(o *options) { o.names = names } }

// NewServer starts a homeserver. The caller must call Close, which stops it.
func NewServer(opts ...Option) *Server {
	o := options{listen: "127.0.0.1:0", names: []string{"127.0.0.1", "::1", "localhost"}}
	for _, opt := range opts {
		opt(&o)
	}
	if o.ca == nil {
		o.ca = NewCA()
	}
	s := &Server{
		Homeserver: &Homeserver{}, ca: o.ca, address: o.listen, conns: make(map[net.Conn]bool),
		tls: &tls.Config{Certificates: []tls.Certificate{o.ca.Certificate(o.names...)}},
	}
	s.Up()
	s.address = s.http.Listener.Addr().String()
	return s
}

// Up makes the server listen again after [Server.Down], at the same address as
// before.
func (s *Server) Up() {
	listener, err := listen.TCP(s.address)
	must(err)
	h := httptest.NewUnstartedServer(s.Homeserver)
	h.Listener.Close()
	h.Listener = listener
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.Config.ConnState = s.track
	h.TLS = s.tls.Clone()
	h.StartTLS()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.http = h
}

// Down closes the server's open connections, and makes the server refuse new
// connections until the test calls Up. The server forgets nothing, and its
// delayed events go on.
func (s *Server) Down() {
	s.mu.Lock()
	h := s.http
	s.mu.Unlock()
	h.CloseClientConnections()
	h.Close()
}

func (s *Server) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[c] = true
		s.accepted++
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, c)
	}
}

// Name returns the server name, "127.0.0.1:PORT".
func (s *Server) Name() matrix.ServerName {
	name, err := matrix.ParseServerName(s.address)
	must(err)
	return name
}

// URL returns the server's URL, "https://127.0.0.1:PORT".
func (s *Server) URL() string { return "https://" + s.address }

// UserID returns the full id of a local user.
func (s *Server) UserID(localpart string) string {
	return "@" + strings.TrimPrefix(localpart, "@") + ":" + s.Name().String()
}

// CACert returns the certificate of the CA that signed the server's
// certificate, as PEM.
func (s *Server) CACert() []byte { return s.ca.PEM() }

// CA returns the CA that signed the server's certificate.
func (s *Server) CA() *CA { return s.ca }

// Connections returns how many connections the server has accepted, and how
// many are open.
func (s *Server) Connections() (accepted, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, len(s.conns)
}

// Close stops the server and breaks its connections.
func (s *Server) Close() {
	s.stop()
	s.Down()
}
