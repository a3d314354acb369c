package outbound

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
)

// These are the causes of a request that failed before an answer arrived.
const (
	CauseCrowded  = "busy"
	CauseDNS      = "dns"
	CauseConnect  = "connect"
	CauseRefused  = "refused_address"
	CauseTLS      = "tls"
	CauseTimeout  = "timeout"
	CauseCanceled = "canceled"
	CauseTooLarge = "too_large"
	CauseProtocol = "protocol" // the connection broke, or the peer did not speak HTTP
)

// ErrTooLarge says that a response is over a bound. Either it has more bytes
// than [Transport.MaxResponseBytes], including its headers, or its headers have
// more than 16 KiB or 128 lines.
var ErrTooLarge = errors.New("the response is too large")

// errNotHTTP says that an answer is not HTTP/1.1. It quotes nothing of the
// answer, because the answer may repeat the request with its secrets.
var errNotHTTP = errors.New("the answer is not HTTP/1.1")

// ownWords returns an error that does not quote the peer. If err is an error of
// net/http about the answer's form, its text quotes the peer, so ownWords
// returns errNotHTTP. It returns all other errors unchanged.
func ownWords(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, ErrTooLarge) || errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return errNotHTTP
}

// DialError says that the transport could not connect, so it sent nothing of the
// request.
type DialError struct {
	Addr string // the host:port to which the transport tried to connect
	TLS  bool   // whether the TLS handshake failed
	Err  error
}

func (e *DialError) Error() string {
	if e.TLS {
		return "TLS handshake: " + e.Err.Error()
	}
	return e.Err.Error()
}
func (e *DialError) Unwrap() error { return e.Err }

// Cause returns the cause of an error of a [Transport].
func Cause(err error) string {
	var (
		dial    *DialError
		refused *RefusedError
		crowded *CrowdedError
		dns     *net.DNSError
	)
	isDial := errors.As(err, &dial)
	switch {
	case errors.As(err, &refused):
		return CauseRefused
	case errors.As(err, &crowded):
		return CauseCrowded
	case errors.Is(err, context.Canceled):
		return CauseCanceled
	case errors.As(err, &dns):
		return CauseDNS
	case isTimeout(err):
		return CauseTimeout
	case isDial && dial.TLS:
		return CauseTLS
	case isDial:
		return CauseConnect
	case errors.Is(err, ErrTooLarge):
		return CauseTooLarge
	}
	return CauseProtocol
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
