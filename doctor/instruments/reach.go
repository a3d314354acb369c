package instruments

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

// Attempt is the result of connecting to one address.
type Attempt struct {
	Addr netip.Addr
	Err  error
}

func (a Attempt) String() string {
	if a.Err == nil {
		return a.Addr.String() + " answers"
	}
	return a.Addr.String() + ": " + Reason(a.Err)
}

// NoRoute reports whether this machine has no route for the address's family
// (IPv4 or IPv6).
func (a Attempt) NoRoute() bool {
	return a.Addr.Is6() && (errors.Is(a.Err, syscall.ENETUNREACH) || errors.Is(a.Err, syscall.EADDRNOTAVAIL) || errors.Is(a.Err, syscall.EAFNOSUPPORT))
}

// Refused reports whether the machine at the address answered that nothing
// listens at the port.
func (a Attempt) Refused() bool { return errors.Is(a.Err, syscall.ECONNREFUSED) }

// IsOwn reports whether the address belongs to this machine.
func (n *Network) IsOwn(addr netip.Addr) bool {
	if n.Interfaces == nil {
		return false
	}
	list, _ := n.Interfaces() // empty if the system does not tell its addresses
	return slices.ContainsFunc(list, func(a net.Addr) bool {
		own, err := netip.ParsePrefix(a.String())
		return err == nil && own.Addr().Unmap() == addr.Unmap()
	})
}

// Reach looks host up, and connects to each of its addresses at a port. The
// error is that of the look-up; errors of connecting are in the Attempts.
func (n *Network) Reach(ctx context.Context, host, port string) ([]Attempt, error) {
	addrs, err := n.Addresses(ctx, host, port)
	if err != nil {
		return nil, err
	}
	attempts := make([]Attempt, len(addrs))
	var all sync.WaitGroup
	for i, addr := range addrs {
		all.Go(func() { attempts[i] = Attempt{addr, n.touch(ctx, addr, port)} })
	}
	all.Wait()
	return attempts, nil
}

// touch connects to the address and closes the connection.
func (n *Network) touch(ctx context.Context, addr netip.Addr, port string) error {
	conn, err := n.dialAddress(ctx, "tcp", addr, port)
	if err == nil {
		conn.Close()
	}
	return err
}

// ErrConnect marks an error from before the connection was made.
var ErrConnect = errors.New("not connected")

// Certificates returns the certificates that a host sends for its name at a
// port, valid or not.
func (n *Network) Certificates(ctx context.Context, host, port string) ([]*x509.Certificate, error) {
	raw, err := n.DialHost(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, unconnected{err}
	}
	defer raw.Close()
	return n.handshake(ctx, raw, n.TLS(host))
}

// AnswersSmall reports whether a TLS handshake succeeds with small packets.
func (n *Network) AnswersSmall(ctx context.Context, host, port string) bool {
	if n.DialSmall == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, n.patiently(smallTime))
	defer cancel()
	small := *n
	small.Dial = n.DialSmall
	raw, err := small.DialHost(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return false
	}
	defer raw.Close()
	_, err = n.handshake(ctx, raw, n.TLS(host))
	return err == nil
}

// unconnected is an error from before TLS, when no connection was made.
type unconnected struct{ error }

func (u unconnected) Unwrap() error      { return u.error }
func (unconnected) Is(target error) bool { return target == ErrConnect }

// handshake returns the certificates that the peer sends, valid or not.
func (n *Network) handshake(ctx context.Context, raw net.Conn, config *tls.Config) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, n.patiently(handshakeTimeout))
	defer cancel()
	config.InsecureSkipVerify = true // the caller verifies, and says what is wrong
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates, nil
}
