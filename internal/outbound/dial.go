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

// Dialer opens connections to host:port. It asks Permit about every address
// after DNS and before anything is sent, so neither a name that resolves to an
// inner address nor one that changes between check and use gets through. For a
// [Transport] it keeps to [Pool.PerHost] there, too.
type Dialer struct {
	// Permit judges an address; nil permits all.
	Permit func(netip.Addr) error
	// Resolver answers names; nil means Go's own resolver.
	Resolver *net.Resolver
	// Timeout bounds name resolution and connecting, zero means 4 s.
	Timeout time.Duration

	names Names
}

const defaultDialTimeout = 4 * time.Second

// DialContext connects to address, trying IPv6 and IPv4 (RFC 6555). [IsNoFile]
// knows an error that comes of a question to DNS for which no file was left.
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

// control runs on the socket, with the address that connect will be given.
func (d *Dialer) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q cannot be judged: %w", address, err)
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

// triedAddress returns the IP address and port that a dial had tried, ""
// where it did not come that far.
func triedAddress(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return op.Addr.String()
	}
	return ""
}
