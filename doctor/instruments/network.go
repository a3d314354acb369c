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

// Resolver answers for the addresses of names; a [*net.Resolver] is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Network is what a run sees of the network. [Network.Ready] makes it so once
// Roots and Resolve are known.
type Network struct {
	// DNS answers for addresses, SRV for service records.
	DNS Resolver
	SRV *net.Resolver
	// Dial connects to an IP address and port: network is "tcp" or "udp".
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialSmall is Dial with packets that fit everywhere; nil where no system does
	// that.
	DialSmall func(ctx context.Context, network, address string) (net.Conn, error)
	// Interfaces are the addresses of this machine; nil means that none is known.
	Interfaces func() ([]net.Addr, error)
	// Roots are the certificates to trust; nil means the system's.
	Roots *x509.CertPool
	// Join joins a room of the SFU.
	Join func(ctx context.Context, url, token string) (Participant, error)
	// Resolve is what --resolve says: host:port → address.
	Resolve map[string]netip.Addr
	// Patience is how many times as long as usual what needs this machine's
	// processor may take, where that has much else to do; 0 means 1.
	Patience int

	client *http.Client
	dead   *sync.Map // the addresses that took too long or refused, as "ip port"
	clocks *clocks
	route  string // where requests go whatever their address says, "" for there
}

// New returns the real network.
func New() *Network {
	resolver := &net.Resolver{PreferGo: true}
	dialer := &net.Dialer{Timeout: dialTimeout}
	small := &net.Dialer{Timeout: dialTimeout, Control: smallSegments}
	n := &Network{DNS: resolver, SRV: resolver, Dial: dialer.DialContext, DialSmall: small.DialContext, Interfaces: net.InterfaceAddrs}
	n.Join = n.joinLiveKit
	return n
}

// silent is the log of servers whose clients are ourselves.
var silent = log.New(io.Discard, "", 0)

const (
	dialTimeout = 3 * time.Second
	// smallSegment is how many bytes a segment of DialSmall has at most, smallTime
	// how long TLS may take over it: the connection came about before.
	smallSegment = 536
	smallTime    = 3 * time.Second
	// HandshakeTimeout is how long TLS may take to come about.
	HandshakeTimeout = 4 * time.Second
	// maxAddresses bounds the addresses of one name that are tried.
	maxAddresses = 8
)

// Addresses returns those of a host for a port, IPv4 before IPv6: what
// --resolve says, the literal, or what DNS says. The error is that of the
// family that failed when there is no address at all.
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

// DialHost connects to host:port, one address after the other.
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
		conn, err := n.DialAddress(ctx, network, addr, port)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// DialAddress connects to one address.
func (n *Network) DialAddress(ctx context.Context, network string, addr netip.Addr, port string) (net.Conn, error) {
	within, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := n.Dial(within, network, net.JoinHostPort(addr.String(), port))
	if err != nil && ctx.Err() == nil && n.dead != nil {
		n.dead.Store(addr.String()+" "+port, true)
	}
	return conn, err
}

// livingFirst puts those of a host's addresses last at which nobody answered
// before: that costs its time once, not with every question.
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

// patiently is d for a machine that has much else to do.
func (n *Network) patiently(d time.Duration) time.Duration {
	return time.Duration(max(n.Patience, 1)) * d
}

// TLS returns how a server of that name is to prove itself.
func (n *Network) TLS(name string) *tls.Config {
	return &tls.Config{RootCAs: n.Roots, ServerName: name, NextProtos: []string{"http/1.1"}}
}

// Ready makes the client of all requests: HTTP/1.1 over connections of their
// own, no proxy, no redirect followed.
func (n *Network) Ready() {
	n.client, n.dead = n.newClient(n.DialHost), new(sync.Map)
	n.clocks = &clocks{ahead: map[string]time.Duration{}}
}

// Through is n with requests over HTTP that go where dial leads them.
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
			TLSHandshakeTimeout:    n.patiently(HandshakeTimeout),
			Protocols:              &protocols,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: 32 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ParseResolve reads host:port:address, as curl's --resolve has it.
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
