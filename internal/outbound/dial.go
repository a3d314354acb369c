package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Dialer opens connections to host:port. It calls Permit with every address
// after DNS and before it sends anything. So neither a name that resolves to a
// private address, nor a name whose address changes after the check, gets
// through. For a [Transport], the Dialer also applies [Pool.PerHost] there.
type Dialer struct {
	// Permit returns an error for an address that must not be dialled. nil
	// permits all.
	Permit func(netip.Addr) error
	// Resolver looks names up; nil means Go's own resolver.
	Resolver *net.Resolver
	// Timeout bounds name resolution and connecting together. Zero means 4 s.
	Timeout time.Duration

	names Names
}

const defaultDialTimeout = 4 * time.Second

// DialContext connects to address over IPv6 or IPv4 (RFC 6555). [IsNoFile] is
// true for its error if no file was left for a DNS query.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = d.names.Ask(d.Resolver, address, func(resolver *net.Resolver) error {
		dialer := net.Dialer{
			Timeout:        orDefault(d.Timeout, defaultDialTimeout),
			Resolver:       resolver,
			ControlContext: d.control,
		}
		conn, err = dialer.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// control is called with the socket and the address just before connect.
func (d *Dialer) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot parse the address %q: %w", address, err)
	}
	if d.Permit != nil {
		if err := d.Permit(ap.Addr()); err != nil {
			return err
		}
	}
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v.enter(hostOf(ap.Addr()))
	}
	return nil
}

// triedAddress returns the IP address and port that a dial tried, "" if it
// tried none.
func triedAddress(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return op.Addr.String()
	}
	return ""
}
