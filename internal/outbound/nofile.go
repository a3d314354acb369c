package outbound

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// IsNoFile reports whether err says that this process or the machine has no file
// left for a connection.
func IsNoFile(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// NewResolver returns Go's own resolver: the C library's reads "127.1" as an
// address. It tells the [Shortages] of a context of questions to DNS for which no
// file was left.
func NewResolver() *net.Resolver { return &net.Resolver{PreferGo: true, Dial: dialDNS} }

// goResolver is that of each [Dialer] without one.
var goResolver = NewResolver()

// Shortages counts questions to DNS for which no file was left: a [net.DNSError]
// does not hold what it came of. A question of several callers may be asked with
// the context of any of them, so those of one host should share one. The zero
// value is ready.
type Shortages struct{ n atomic.Uint64 }

type shortagesKey struct{}

// Watch returns a context for look-ups, and what makes of their error one that
// [IsNoFile] knows, if a file was missing meanwhile.
func (s *Shortages) Watch(ctx context.Context) (watched context.Context, explain func(error) error) {
	before := s.n.Load()
	return context.WithValue(ctx, shortagesKey{}, s), func(err error) error {
		if _, ok := errors.AsType[*net.DNSError](err); ok && s.n.Load() != before {
			return &noFileError{err}
		}
		return err
	}
}

// noFileError is an error of a look-up for which no file was left.
type noFileError struct{ error }

func (e *noFileError) Unwrap() []error { return []error{e.error, syscall.EMFILE} }

func dialDNS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if s, ok := ctx.Value(shortagesKey{}).(*Shortages); ok && IsNoFile(err) {
		s.n.Add(1)
	}
	return conn, err
}
