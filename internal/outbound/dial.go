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

// ErrCrowded says that a host has as many connections as it may have.
var ErrCrowded = errors.New("too many connections to this address")

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

// DialContext connects to address, trying IPv6 and IPv4 (RFC 6555).
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	resolver := d.Resolver
	if resolver == nil {
		resolver = &net.Resolver{PreferGo: true}
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
	return d.count(c), nil
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.PerHost > 0 && d.open[hostOf(ap.Addr())] >= d.PerHost {
		return ErrCrowded
	}
	return nil
}

// count has c count for its host until it is closed.
func (d *Dialer) count(c net.Conn) net.Conn {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return c // not an IP connection: control has refused those
	}
	host := hostOf(ap.Addr())
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		d.open = make(map[netip.Prefix]int)
	}
	d.open[host]++
	return &countedConn{Conn: c, closed: func() { d.uncount(host) }}
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
	if addr.Is4() {
		bits = 32
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
