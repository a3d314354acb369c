// Package text makes a stranger's text safe to store and to show.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Clip returns s as one line of at most limit bytes. It replaces each character
// that cannot be printed by a space; these are line breaks, controls and changes of
// the writing direction. It replaces each byte that is not UTF-8 by the replacement
// character. If s is longer, it cuts s between two characters, and the result ends
// in an ellipsis. It reads no more of s than it returns.
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

// cut ends a shortened text with an ellipsis, if limit has space for one.
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
