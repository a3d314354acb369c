// Package text makes a stranger's text safe to store and to show.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Clip returns s as one line of at most limit bytes. Characters that cannot be
// printed become spaces: line breaks, control characters and changes of the writing
// direction. Bytes that are not UTF-8 become the replacement character. If s is too
// long, Clip cuts s between two characters, and the result ends in an ellipsis.
// Clip reads no more of s than it returns.
func Clip(s string, limit int) string {
	if len(s) <= limit && isPlain(s) {
		return s
	}
	var b strings.Builder
	room := 0 // the length of the longest result that still has space for an ellipsis
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = ' '
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			return cut(b.String()[:room], limit)
		}
		b.WriteRune(r)
		if b.Len()+len(ellipsis) <= limit {
			room = b.Len()
		}
	}
	return b.String()
}

// cut appends an ellipsis to s, which is the beginning of a text. If the result
// would be longer than limit, cut returns "".
func cut(s string, limit int) string {
	if len(s)+len(ellipsis) > limit {
		return ""
	}
	return s + ellipsis
}

// isPlain reports whether s is printable ASCII, which most texts are.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
