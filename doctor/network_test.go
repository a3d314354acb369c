package doctor_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

// LookupNetIP answers from the stack's own DNS records.
func (s *stack) LookupNetIP(_ context.Context, network, host string) (addrs []netip.Addr, err error) {
	host = strings.ToLower(host)
	if err := s.dnsError[host]; err != nil {
		return nil, err
	}
	for _, text := range s.dns[host] {
		if addr := netip.MustParseAddr(text); addr.Is4() == (network == "ip4") {
			addrs = append(addrs, addr)
		}
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addrs, nil
}

// dial connects to the server that the stack has at an address. All servers are
// on loopback.
func (s *stack) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && netip.MustParseAddr(host).Is6() {
		address = "[" + host + "]:" + port
	}
	target, there := s.routes[network+" "+address]
	switch {
	case strings.HasPrefix(address, "127.0.0.1:"):
		target = address
	case s.unreachable[address]:
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	case target == "silent":
		<-ctx.Done()
		return nil, ctx.Err()
	case !there:
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return new(net.Dialer).DialContext(ctx, network, target)
}

// dialSmall is like dial, but stands for connections with small packets. Only
// dialSmall uses routes that begin with "small".
func (s *stack) dialSmall(ctx context.Context, network, address string) (net.Conn, error) {
	if target, there := s.routes["small "+network+" "+address]; there {
		return new(net.Dialer).DialContext(ctx, network, target)
	}
	return s.dial(ctx, network, address)
}

// byName connects to host:port. It takes the host's address from the stack's
// DNS records.
func (s *stack) byName(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := s.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return nil, err
	}
	return s.dial(ctx, network, net.JoinHostPort(addrs[0].String(), port))
}

// route makes address lead to target, unless the test has set another target.
func (s *stack) route(network, address, target string) {
	if _, there := s.routes[network+" "+address]; !there {
		s.routes[network+" "+address] = target
	}
}

// serve lets h answer at address over TLS, with a certificate for host.
func (s *stack) serve(address, host string, h http.Handler) {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	cert, there := s.certs[host]
	if !there {
		cert = s.ca.Certificate(strings.Trim(host, "[]"))
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	s.t.Cleanup(server.Close)
	s.route("tcp", address, server.Listener.Addr().String())
}
