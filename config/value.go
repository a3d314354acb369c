package config

import (
	"strconv"
	"strings"
	"unicode"

	"matrixrtc-auth/internal/secret"

	"matrixrtc-auth/internal/text"
)

// value is one variable as it was found, without surrounding white space and
// byte order mark. Empty is the same as unset: Compose sets variables that its
// .env file lacks to nothing.
type value struct {
	name   string // of the variable
	preset string // holds when the variable is unset
	text   secret.Text
}

func newValue(v Variable, text secret.Text) value {
	return value{v.Name, v.Default, secret.New(clean(text.Reveal()))}
}

func (v value) isSet() bool { return !v.text.IsEmpty() }

// get returns the text of the variable, or what holds when it is unset.
func (v value) get() string {
	if v.isSet() {
		return v.text.Reveal()
	}
	return v.preset
}

const byteOrderMark = '\uFEFF'

func clean(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == byteOrderMark })
}

// shown quotes a value for a message. What may hold a password (a URL with
// user information or a query) is not shown; the '@' of a user id may be.
func shown(value string) string {
	const longest = 70
	if strings.LastIndexByte(value, '@') > 0 || strings.Contains(value, "?") {
		return "the value (not shown: it may hold a password)"
	}
	return text.Clip(strconv.Quote(value), longest)
}
