package breakages

import (
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"

	"matrixrtc-auth/internal/dnstest"
)

// nameServer answers questions about host names at 127.0.0.1:53. It knows the names of
// the deployment, and answers that other names do not exist. If the deployment has no
// map of names, the answer is an error (SERVFAIL).
type nameServer struct {
	conn net.PacketConn

	mu    sync.Mutex
	names map[string][]netip.Addr // the addresses of each host name, which has no dot at the end
	srv   map[string]dnsmessage.SRVResource
	deaf  bool // true if the server does not answer questions about SRV records
}

// serveNames starts a name server on 127.0.0.1:53. The name server runs until its field
// conn is closed, which world.end does.
func serveNames() (*nameServer, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		return nil, err
	}
	s := &nameServer{conn: conn}
	go dnstest.Serve(conn, s.find)
	return s, nil
}

// set makes the name server answer with the records of the deployment.
func (s *nameServer) set(d deployment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names, s.srv, s.deaf = d.names, d.srv, d.deaf
}

// find returns the records for a question. It returns false if the name server does not
// answer.
func (s *nameServer) find(question dnsmessage.Question) ([]dnsmessage.ResourceBody, dnsmessage.RCode, bool) {
	if s.ignores(question) {
		return nil, 0, false
	}
	if r, ok := s.service(question); ok {
		return []dnsmessage.ResourceBody{&r}, dnsmessage.RCodeSuccess, true
	}
	addresses, result := s.lookUp(question.Name.String())
	var records []dnsmessage.ResourceBody
	for _, a := range addresses {
		if (question.Type == dnsmessage.TypeA) == a.Is4() && (question.Type == dnsmessage.TypeAAAA) == a.Is6() {
			records = append(records, record(a))
		}
	}
	return records, result, true
}

func (s *nameServer) lookUp(name string) ([]netip.Addr, dnsmessage.RCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addresses, known := s.names[strings.ToLower(strings.TrimSuffix(name, "."))]
	switch {
	case s.names == nil:
		return nil, dnsmessage.RCodeServerFailure
	case !known:
		return nil, dnsmessage.RCodeNameError
	}
	return addresses, dnsmessage.RCodeSuccess
}

// ignores reports whether the name server does not answer a question.
func (s *nameServer) ignores(q dnsmessage.Question) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaf && q.Type == dnsmessage.TypeSRV
}

// service returns the SRV record that the question asks for, if the deployment has one.
func (s *nameServer) service(q dnsmessage.Question) (dnsmessage.SRVResource, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.srv[strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))]
	return r, ok && q.Type == dnsmessage.TypeSRV
}

func record(a netip.Addr) dnsmessage.ResourceBody {
	if a.Is4() {
		return &dnsmessage.AResource{A: a.As4()}
	}
	return &dnsmessage.AAAAResource{AAAA: a.As16()}
}
