package config

import (
	"strconv"
	"strings"
	"unicode"

	"matrixrtc-auth/internal/secret"

	"matrixrtc-auth/internal/text"
)

// value is the value of a variable, without white space around it and without
// a byte order mark. An empty value counts as unset, because Compose sets a
// variable to "" if the .env file lacks it.
type value struct {
	name   string // the variable's name
	preset string // the variable's default
	text   secret.Text
}

func newValue(v Variable, text secret.Text) value {
	return value{v.Name, v.Default, secret.New(clean(text.Reveal()))}
}

func (v value) isSet() bool { return !v.text.IsEmpty() }

// get returns the variable's value, or its default if it is unset.
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

// shown returns value in quotation marks for a message. It hides a value that
// may hold a password: a URL with a user name or a query. It shows a user id,
// which begins with '@'.
func shown(value string) string {
	const longest = 70
	if strings.LastIndexByte(value, '@') > 0 || strings.Contains(value, "?") {
		return "the value (not shown: it may hold a password)"
	}
	return text.Clip(strconv.Quote(value), longest)
}
