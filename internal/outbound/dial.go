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

// Dialer opens connections to host:port. It calls Permit with each address from
// DNS before it sends anything to that address. With a Permit like
// [PublicOnly], a name therefore cannot lead to a private address, even if its
// address changes after a check. For a [Transport], the Dialer also applies
// [Pool.PerHost] to the address.
type Dialer struct {
	// Permit returns an error for an address to which the Dialer must not
	// connect. A nil Permit permits all addresses.
	Permit func(netip.Addr) error
	// Resolver looks names up; nil means Go's own resolver.
	Resolver *net.Resolver
	// Timeout bounds the time for looking the name up and connecting together.
	// Zero means 4 s.
	Timeout time.Duration

	names Names
}

const defaultDialTimeout = 4 * time.Second

// DialContext connects to address over IPv6 or IPv4 (RFC 6555). If this process
// could open no file for a DNS query or the connection, [IsNoFile] is true for
// the error.
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

// control runs before a socket connects to address. It returns an error if Permit
// refuses the address, or if the socket gets no place at the host (visit.enter).
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

// triedAddress returns the IP address and port to which a failed dial tried to
// connect, or "" if it tried none.
func triedAddress(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return op.Addr.String()
	}
	return ""
}
