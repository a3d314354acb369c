package instruments

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"matrixrtc-auth/internal/text"
)

// maxText is how much of a stranger's text is shown, in bytes.
const maxText = 200

// Clip is how a stranger's text is shown.
func Clip(s string) string { return text.Clip(s, maxText) }

// NoAnswer is the reason of what does not answer at all.
const NoAnswer = "no answer in time"

// Reason says in a few words why something cannot be reached; it holds no URL.
func Reason(err error) string {
	var (
		dns     *net.DNSError
		invalid *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		network net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such name"
	case errors.As(err, &dns):
		return "the name server does not answer"
	case errors.As(err, &invalid):
		return "the certificate is not good: " + Clip(invalid.Err.Error())
	case errors.As(err, &record):
		return "no TLS there"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return NoAnswer
	}
	if text := Clip(err.Error()); text != "" {
		return text
	}
	return "it broke without a reason"
}

// IsTLS reports whether a request failed in the TLS handshake.
func IsTLS(err error) bool {
	var invalid *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &invalid) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// IsOldTLS reports whether client and server have no version of TLS in common: the
// server knows older ones alone (RFC 8446, "protocol_version").
func IsOldTLS(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "tls: protocol version not supported") ||
		strings.Contains(err.Error(), "tls: server selected unsupported protocol version"))
}

// WantsCertificate reports whether a server ended TLS because the client showed
// it no certificate (RFC 8446, "certificate_required"; programs that were built
// with an older Go call that a bad one).
func WantsCertificate(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "remote error: tls: certificate required") ||
		strings.Contains(err.Error(), "remote error: tls: bad certificate"))
}

// IsNoSuchName reports whether DNS says that there is no such name.
func IsNoSuchName(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// IsDNSBroken reports whether no name server said whether there is such a name.
func IsDNSBroken(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && !dns.IsNotFound
}

// redacted stands for a secret.
const redacted = "[redacted]"
