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

// Attempt is what happened when doctor tried to connect to one address.
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

// NoRoute reports whether the attempt failed because this machine has no route
// for IPv6.
func (a Attempt) NoRoute() bool {
	return a.Addr.Is6() && (errors.Is(a.Err, syscall.ENETUNREACH) || errors.Is(a.Err, syscall.EADDRNOTAVAIL) || errors.Is(a.Err, syscall.EAFNOSUPPORT))
}

// Refused reports whether the machine at the address answered, and said that
// nothing listens at the port.
func (a Attempt) Refused() bool { return errors.Is(a.Err, syscall.ECONNREFUSED) }

// IsOwn reports whether the address belongs to this machine.
func (n *Network) IsOwn(addr netip.Addr) bool {
	if n.Interfaces == nil {
		return false
	}
	list, _ := n.Interfaces() // empty if this machine's addresses are unknown
	return slices.ContainsFunc(list, func(a net.Addr) bool {
		own, err := netip.ParsePrefix(a.String())
		return err == nil && own.Addr().Unmap() == addr.Unmap()
	})
}

// Reach looks host up, and tries to connect to each of its addresses at a port.
// The returned error is that of the look-up. The errors of connecting are in
// the Attempts.
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

// touch connects to an address, and closes the connection immediately.
func (n *Network) touch(ctx context.Context, addr netip.Addr, port string) error {
	conn, err := n.dialAddress(ctx, "tcp", addr, port)
	if err == nil {
		conn.Close()
	}
	return err
}

// ErrConnect means that there was no connection, so TLS was not tried.
var ErrConnect = errors.New("not connected")

// Certificates returns the certificates that the server at host and port sends
// for the name host, whether they are valid or not.
func (n *Network) Certificates(ctx context.Context, host, port string) ([]*x509.Certificate, error) {
	raw, err := n.DialHost(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, unconnected{err}
	}
	defer raw.Close()
	return n.handshake(ctx, raw, n.TLS(host))
}

// AnswersSmall reports whether a TLS handshake succeeds if all packets are
// small.
func (n *Network) AnswersSmall(ctx context.Context, host, port string) bool {
	if n.DialSmall == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, n.Limit(smallTime))
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

// unconnected is the error of a connection that failed, so that TLS was not
// tried. [errors.Is] says that it is [ErrConnect].
type unconnected struct{ error }

func (u unconnected) Unwrap() error      { return u.error }
func (unconnected) Is(target error) bool { return target == ErrConnect }

// handshake returns the certificates that the peer sends, whether they are
// valid or not.
func (n *Network) handshake(ctx context.Context, raw net.Conn, config *tls.Config) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, n.Limit(handshakeTimeout))
	defer cancel()
	config.InsecureSkipVerify = true // so that the caller can say what is wrong with the certificates
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates, nil
}
