package breakages

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers at 127.0.0.1:53 for the names of the deployment. Others do
// not exist. Without any name it fails.
type nameServer struct {
	conn net.PacketConn

	mu    sync.Mutex
	names map[string][]netip.Addr // without the dot at the end
	srv   map[string]dnsmessage.SRVResource
	deaf  bool // to questions about services
}

// serveNames starts one, which ends with its world.
func serveNames() (*nameServer, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		return nil, err
	}
	s := &nameServer{conn: conn}
	go s.serve()
	return s, nil
}

// set replaces the names.
func (s *nameServer) set(d deployment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names, s.srv, s.deaf = d.names, d.srv, d.deaf
}

func (s *nameServer) serve() {
	packet := make([]byte, 1500)
	for {
		n, client, err := s.conn.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if answer, err := s.answer(packet[:n]); err == nil {
			_, _ = s.conn.WriteTo(answer, client)
		}
	}
}

func (s *nameServer) answer(packet []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(packet)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	if s.ignores(question) {
		return nil, errIgnored
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{question},
	}
	addresses, result := s.lookUp(question.Name.String())
	message.RCode = result
	for _, a := range addresses {
		if body := record(a); (question.Type == dnsmessage.TypeA) == a.Is4() && (question.Type == dnsmessage.TypeAAAA) == a.Is6() {
			message.Answers = append(message.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: dnsmessage.ClassINET},
				Body:   body,
			})
		}
	}
	if s, ok := s.service(question); ok {
		message.RCode = dnsmessage.RCodeSuccess
		message.Answers = append(message.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: dnsmessage.ClassINET},
			Body:   &s,
		})
	}
	return message.Pack()
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

var errIgnored = errors.New("it is not answered")

// ignores reports whether a question gets no answer at all.
func (s *nameServer) ignores(q dnsmessage.Question) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaf && q.Type == dnsmessage.TypeSRV
}

// service is the SRV record that is asked for.
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
