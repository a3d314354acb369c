// Package secret holds text that must not be printed.
//
// A [Text] is "[redacted]" for fmt with every verb, for log/slog, for
// encoding/json and for every encoder of text. Only Reveal returns the value,
// so a search for that word finds every use.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret string: an API secret, a password, an access token.
// The zero value is the empty secret. Compare with [Text.Equal], not with ==.
type Text struct {
	// value is a pointer, because fmt does not call Format on an unexported field:
	// it prints the field, but prints only the address of a pointer.
	value *string
}

// New returns value as a secret.
func New(value string) Text { return Text{&value} }

// Reveal returns the secret itself.
func (t Text) Reveal() string {
	if t.value == nil {
		return ""
	}
	return *t.value
}

// IsEmpty reports whether there is no secret.
func (t Text) IsEmpty() bool { return t.Reveal() == "" }

// Equal reports whether both secrets are the same. It takes the same time
// wherever they differ.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// Hash returns the first 12 hexadecimal digits of the secret's SHA-256: enough
// to find a token in a log, but useless as a token. It is only for random
// secrets, because a password could be guessed from it.
func (t Text) Hash() string {
	sum := sha256.Sum256([]byte(t.Reveal()))
	return hex.EncodeToString(sum[:6])
}

// String returns "[redacted]", or nothing for the empty secret.
func (t Text) String() string {
	if t.IsEmpty() {
		return ""
	}
	return redacted
}

// Format writes what String returns, for every verb and flag (%v, %+v, %#v, %x
// and %q would otherwise print the field).
func (t Text) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// LogValue redacts the secret for log/slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText redacts the secret for encoding/json and other encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
