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

// maxText bounds how many bytes of a text from another server are shown.
const maxText = 200

// Clip shortens a text from another server, and makes it safe to show.
func Clip(s string) string { return text.Clip(s, maxText) }

// NoAnswer is the text that Reason returns if nothing answers.
const NoAnswer = "no answer in time"

// Reason says in a few words why something cannot be reached. It contains no
// URL.
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
	return "the connection broke without a reason"
}

// IsTLS reports whether a request failed in the TLS handshake.
func IsTLS(err error) bool {
	var invalid *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &invalid) || errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// IsOldTLS reports whether the TLS handshake failed because the server knows
// only versions of TLS that are too old (RFC 8446, "protocol_version").
func IsOldTLS(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "tls: protocol version not supported") ||
		strings.Contains(err.Error(), "tls: server selected unsupported protocol version"))
}

// WantsCertificate reports whether a server ended TLS because the client sent
// no certificate (RFC 8446, "certificate_required"). Programs built with an
// older Go say "bad certificate" instead.
func WantsCertificate(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "remote error: tls: certificate required") ||
		strings.Contains(err.Error(), "remote error: tls: bad certificate"))
}

// IsNoSuchName reports whether err says that the name does not exist in DNS.
func IsNoSuchName(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// IsDNSBroken reports whether err says that no name server answered.
func IsDNSBroken(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && !dns.IsNotFound
}

// redacted is the text that replaces a secret.
const redacted = "[redacted]"
