// Package secret holds texts that must not be printed.
//
// A [Text] is printed as "[redacted]" by fmt with every verb, by log/slog, by
// encoding/json, and by every other encoder of text. Only Reveal returns the
// value, so a search for the word Reveal finds every use.
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

// Text is a secret string: an API secret, a password, an access token. The zero
// value is the empty secret. Use [Text.Equal] instead of == to compare two secrets.
type Text struct {
	// value is a pointer, because fmt does not call Format if the Text is an unexported
	// field of another struct. Then fmt would print a string itself, but prints only
	// the address of a pointer.
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

// IsEmpty reports whether the secret is empty.
func (t Text) IsEmpty() bool { return t.Reveal() == "" }

// Equal reports whether both secrets are the same. The time that Equal takes does
// not depend on the position at which the secrets differ.
func (t Text) Equal(other Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// Hash returns the first 12 hexadecimal digits of the SHA-256 of the secret. These
// digits are enough to find a token in a log, and cannot be used as a token. Use it
// only for random secrets, because a password could be guessed from its hash.
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

// Format writes what String returns, for every verb and flag. Without this method,
// %v, %+v, %#v, %x and %q would print the field value.
func (t Text) Format(f fmt.State, _ rune) { io.WriteString(f, t.String()) }

// LogValue redacts the secret for log/slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText redacts the secret for encoding/json and other encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
