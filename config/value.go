package config

import (
	"strconv"
	"strings"
	"unicode"

	"matrixrtc-auth/internal/secret"

	"matrixrtc-auth/internal/text"
)

// value is the value of one variable, without white space around it and byte
// order mark. An empty value counts as unset: Compose sets a variable to "" if
// the .env file lacks it.
type value struct {
	name   string // of the variable
	preset string // the default
	text   secret.Text
}

func newValue(v Variable, text secret.Text) value {
	return value{v.Name, v.Default, secret.New(clean(text.Reveal()))}
}

func (v value) isSet() bool { return !v.text.IsEmpty() }

// get returns the value of the variable, or its default if it is unset.
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

// shown quotes a value for a message. It hides a value that may hold a
// password: a URL with user information or a query. The '@' of a user id is
// shown.
func shown(value string) string {
	const longest = 70
	if strings.LastIndexByte(value, '@') > 0 || strings.Contains(value, "?") {
		return "the value (not shown: it may hold a password)"
	}
	return text.Clip(strconv.Quote(value), longest)
}
