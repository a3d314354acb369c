// Package text makes what a stranger wrote fit to be kept and shown.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Clip returns s on one line of at most limit bytes. Every character that cannot
// be printed (line breaks, controls, what turns the direction of writing) becomes
// a space, and every byte that is no UTF-8 the replacement character. Where s is
// longer, the last character is an ellipsis; none is cut in two. Clip looks at no
// more of s than it returns.
func Clip(s string, limit int) string {
	if len(s) <= limit && isPlain(s) {
		return s
	}
	var b strings.Builder
	room := 0 // the length at which there is still room for an ellipsis
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

// cut ends a text that goes on, where limit has room for that.
func cut(s string, limit int) string {
	if len(s)+len(ellipsis) > limit {
		return ""
	}
	return s + ellipsis
}

// isPlain reports whether s is ASCII that can be printed, as nearly all is.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
