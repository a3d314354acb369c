package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// CrowdedError says that a host has as many connections as it may have.
type CrowdedError struct{ host netip.Prefix }

func (e *CrowdedError) Error() string {
	return fmt.Sprintf("too many connections to %s", e.host)
}

// Dialer opens connections to host:port. It asks Permit about every address
// after DNS and before anything is sent, so neither a name that resolves to an
// inner address nor one that changes between check and use gets through.
type Dialer struct {
	// Permit judges an address; nil permits all.
	Permit func(netip.Addr) error
	// PerHost bounds the connections that are open to one host at once: an
	// IPv4 address, or an IPv6 /64, whatever names lead there. 0 means no bound.
	PerHost int
	// Resolver answers names; nil means Go's own resolver.
	Resolver *net.Resolver
	// Timeout bounds name resolution and connecting, zero means 4 s.
	Timeout time.Duration

	mu   sync.Mutex
	open map[netip.Prefix]int
}

const defaultDialTimeout = 4 * time.Second

// goResolver is Go's own: the C library's reads "127.1" as an address.
var goResolver = &net.Resolver{PreferGo: true}

// DialContext connects to address, trying IPv6 and IPv4 (RFC 6555).
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	resolver := d.Resolver
	if resolver == nil {
		resolver = goResolver
	}
	dialer := net.Dialer{
		Timeout:        orDefault(d.Timeout, defaultDialTimeout),
		Resolver:       resolver,
		ControlContext: d.control,
	}
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil || d.PerHost == 0 {
		return c, err
	}
	return d.count(c)
}

// control runs on the socket, with the address that connect will be given.
func (d *Dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q cannot be judged: %w", address, err)
	}
	if d.Permit != nil {
		if err := d.Permit(ap.Addr()); err != nil {
			return err
		}
	}
	if host := hostOf(ap.Addr()); d.PerHost > 0 && d.isCrowded(host) {
		return &CrowdedError{host}
	}
	return nil
}

func (d *Dialer) isCrowded(host netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open[host] >= d.PerHost
}

// count has c count for its host until it is closed. Others may have come
// while it was being opened: then it is one too many.
func (d *Dialer) count(c net.Conn) (net.Conn, error) {
	host, ok := remoteHost(c)
	if !ok {
		return c, nil // not an IP connection: control has refused those
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[host] >= d.PerHost {
		c.Close()
		return nil, &CrowdedError{host}
	}
	if d.open == nil {
		d.open = make(map[netip.Prefix]int)
	}
	d.open[host]++
	return &countedConn{Conn: c, closed: func() { d.uncount(host) }}, nil
}

func remoteHost(c net.Conn) (netip.Prefix, bool) {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	return hostOf(ap.Addr()), err == nil
}

func (d *Dialer) uncount(host netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[host]--; d.open[host] == 0 {
		delete(d.open, host)
	}
}

// hostOf returns what counts as one host: who has an IPv6 address commonly has
// its whole /64.
func hostOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if !addr.Is6() {
		bits = addr.BitLen()
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// countedConn reports its end, once.
type countedConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *countedConn) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

// triedAddress returns the IP address and port that a dial had tried, ""
// where it did not come that far.
func triedAddress(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return op.Addr.String()
	}
	return ""
}
