// Package secret holds text that must not be printed.
//
// A [Text] shows itself as "[redacted]" to fmt with every verb, to log/slog,
// to encoding/json and to every encoder that asks for text. The one way to
// the value is Reveal, so that a search for that word finds every use.
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
	// A pointer, because fmt cannot call Format on an unexported field of
	// somebody's struct: it walks into it, and shows of a pointer its address.
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

// Equal compares in a time that does not depend on where the two differ.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// Hash returns the first 12 hexadecimal digits of the secret's SHA-256: enough
// to find one token again in a log, nothing to use it with. Only for secrets
// that a machine drew at random; a password could be guessed from it.
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

// Format writes what String returns, whatever the verb and the flags
// (%v, %+v, %#v, %x and %q would otherwise show the field).
func (t Text) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// LogValue redacts the secret for log/slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText redacts the secret for encoding/json and other encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
