package instruments

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Resolver looks up the addresses of names; a [*net.Resolver] is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Network is the way in which a run of doctor uses the network. Call
// [Network.Ready] after setting Roots and Resolve.
type Network struct {
	// DNS looks up the addresses of names, and SRV looks up SRV records.
	DNS Resolver
	SRV *net.Resolver
	// Dial connects to an IP address and port. network is "tcp" or "udp".
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialSmall is like Dial, but uses packets that are small enough for every
	// link. It is nil if this system cannot limit the size of packets.
	DialSmall func(ctx context.Context, network, address string) (net.Conn, error)
	// Interfaces returns the addresses of this machine; nil means that they are
	// unknown.
	Interfaces func() ([]net.Addr, error)
	// Roots are the certificates to trust; nil means those of the system.
	Roots *x509.CertPool
	// Join joins a room of the SFU.
	Join func(ctx context.Context, url, token string) (Participant, error)
	// Resolve has the addresses that --resolve gives: the key is host:port.
	Resolve map[string]netip.Addr
	// Slowness says how many times slower than usual this machine is: Limit
	// multiplies time limits by it. 0 means 1.
	Slowness int

	client *http.Client
	dead   *sync.Map // the addresses, as "ip port", that refused a connection or did not answer
	clocks *clocks
	route  string // the address to which every request goes; "" means the host in the request's URL
}

// New returns a Network that uses this machine's network.
func New() *Network {
	resolver := &net.Resolver{PreferGo: true}
	dialer := &net.Dialer{Timeout: dialTimeout}
	small := &net.Dialer{Timeout: dialTimeout, Control: smallSegments}
	n := &Network{DNS: resolver, SRV: resolver, Dial: dialer.DialContext, DialSmall: small.DialContext, Interfaces: net.InterfaceAddrs}
	n.Join = n.joinLiveKit
	return n
}

// silent drops all log lines of the servers that only this process uses.
var silent = log.New(io.Discard, "", 0)

const (
	dialTimeout = 3 * time.Second
	// smallSegment is the most bytes in a TCP segment of DialSmall. smallTime
	// bounds a TLS handshake over such a connection.
	smallSegment = 536
	smallTime    = 3 * time.Second
	// handshakeTimeout bounds a TLS handshake.
	handshakeTimeout = 4 * time.Second
	// maxAddresses bounds how many addresses of a name doctor tries.
	maxAddresses = 8
)

// Addresses returns the addresses of host for a port, IPv4 before IPv6. They
// come from --resolve, or from host if that is an address, or from DNS. If
// there are none, Addresses returns the error of the look-up that failed (IPv4
// or IPv6).
func (n *Network) Addresses(ctx context.Context, host, port string) ([]netip.Addr, error) {
	if addr, ok := n.Resolve[strings.ToLower(host)+":"+port]; ok {
		return []netip.Addr{addr}, nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return []netip.Addr{addr}, nil
	}
	var all []netip.Addr
	var failure error
	for _, network := range []string{"ip4", "ip6"} {
		addrs, err := n.DNS.LookupNetIP(ctx, network, host)
		for _, addr := range addrs {
			all = append(all, addr.Unmap())
		}
		if err != nil && (failure == nil || !IsNoSuchName(err)) {
			failure = err
		}
	}
	if len(all) > 0 {
		return all[:min(len(all), maxAddresses)], nil
	}
	if failure == nil {
		failure = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return nil, failure
}

// DialHost connects to host:port. It tries the host's addresses in turn.
func (n *Network) DialHost(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addrs, err := n.Addresses(ctx, host, port)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, addr := range n.livingFirst(addrs, port) {
		conn, err := n.dialAddress(ctx, network, addr, port)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// dialAddress connects to one address.
func (n *Network) dialAddress(ctx context.Context, network string, addr netip.Addr, port string) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := n.Dial(within, network, net.JoinHostPort(addr.String(), port))
	if err != nil && ctx.Err() == nil && n.dead != nil {
		n.dead.Store(addr.String()+" "+port, true)
	}
	return conn, err
}

// livingFirst moves addresses that did not answer earlier to the end, so that
// doctor waits for each of them only once.
func (n *Network) livingFirst(addrs []netip.Addr, port string) []netip.Addr {
	if n.dead == nil {
		return addrs
	}
	sorted := slices.Clone(addrs)
	slices.SortStableFunc(sorted, func(a, b netip.Addr) int {
		_, deadA := n.dead.Load(a.String() + " " + port)
		_, deadB := n.dead.Load(b.String() + " " + port)
		switch {
		case deadA == deadB:
			return 0
		case deadA:
			return 1
		}
		return -1
	})
	return sorted
}

// Limit returns the time limit for work that needs this machine's processor. It
// is longer on a slow machine (see Slowness). The argument usual is the limit on
// a machine of the usual speed.
func (n *Network) Limit(usual time.Duration) time.Duration {
	return time.Duration(max(n.Slowness, 1)) * usual
}

// TLS returns a configuration with which a server must have a valid
// certificate for name.
func (n *Network) TLS(name string) *tls.Config {
	return &tls.Config{RootCAs: n.Roots, ServerName: name, NextProtos: []string{"http/1.1"}}
}

// Ready makes the HTTP client for all requests. The client uses HTTP/1.1 and no
// proxy, and follows no redirect.
func (n *Network) Ready() {
	n.client, n.dead = n.newClient(n.DialHost), new(sync.Map)
	n.clocks = &clocks{ahead: map[string]time.Duration{}}
}

// Through returns a copy of n that makes its HTTP connections with dial.
func (n *Network) Through(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Network {
	other := *n
	other.client = n.newClient(dial)
	return &other
}

func (n *Network) newClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{RootCAs: n.Roots},
			TLSHandshakeTimeout:    n.Limit(handshakeTimeout),
			Protocols:              &protocols,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 32 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ParseResolve parses host:port:address. The option --resolve of curl has the
// same form.
func ParseResolve(text string) (hostPort string, addr netip.Addr, err error) {
	host, rest, _ := strings.Cut(text, ":")
	port, address, found := strings.Cut(rest, ":")
	addr, err = netip.ParseAddr(strings.Trim(address, "[]"))
	n, notPort := strconv.ParseUint(port, 10, 16)
	if !found || host == "" || notPort != nil || n == 0 || err != nil {
		return "", netip.Addr{}, fmt.Errorf("%q is not of the form host:port:address", text)
	}
	return fmt.Sprintf("%s:%d", strings.ToLower(host), n), addr.Unmap(), nil
}
