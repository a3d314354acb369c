package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"matrixrtc-auth/internal/text"
)

func TestClip(t *testing.T) {
	for _, c := range []struct {
		name, s string
		limit   int
		want    string
	}{
		{"nothing", "", 10, ""},
		{"fits", "plain text", 10, "plain text"},
		{"one too many", "plain text!", 10, "plain t…"},
		{"characters of two bytes", "éééééé", 10, "ééé…"},
		{"they fit", "ééééé", 10, "ééééé"},
		{"line breaks", "a\r\nb\tc\x00d", 20, "a  b c d"},
		{"colours of a terminal", "\x1b[31mred\x7f", 20, " [31mred "},
		{"C1 controls", "a\u009b31mb", 20, "a 31mb"},
		{"direction and width", "a\u202eb\u200bc\ufeffd", 20, "a b c d"},
		{"line separators", "a\u2028b\u2029c\u00a0d", 20, "a b c d"},
		{"no UTF-8", "a\xff\xfeb", 20, "a\ufffd\ufffdb"},
		{"no UTF-8, too long", "\xff\xff\xff\xff", 8, "\ufffd…"},
		{"a character that begins and does not end", "abc\xe2\x80", 20, "abc\ufffd\ufffd"},
		{"marks and other alphabets", "Grüße, 世界 👋", 40, "Grüße, 世界 👋"},
		{"room for the ellipsis alone", "abcd", 3, "…"},
		{"no room for it", "abcd", 2, ""},
		{"no room at all", "abcd", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text.Clip(c.s, c.limit); got != c.want {
				t.Errorf("Clip(%q, %d) = %q, want %q", c.s, c.limit, got, c.want)
			}
		})
	}
}

// TestClipLooksAtNoMore: the length of what a stranger sends costs nothing.
func TestClipLooksAtNoMore(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	if got := testing.AllocsPerRun(10, func() { text.Clip(long, 200) }); got > 8 {
		t.Errorf("%v allocations for a text of %d bytes, want at most 8", got, len(long))
	}
	if got := testing.AllocsPerRun(10, func() { text.Clip("plain", 200) }); got != 0 {
		t.Errorf("%v allocations for a plain text, want none", got)
	}
}

func FuzzClip(f *testing.F) {
	f.Add("plain", 3)
	f.Add("a\xffé\n\u202e…", 7)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 300)
		got := text.Clip(s, limit)
		switch {
		case len(got) > limit:
			t.Errorf("Clip(%q, %d) = %q, want at most %[2]d bytes", s, limit, got)
		case !utf8.ValidString(got):
			t.Errorf("Clip(%q, %d) = %q, want valid UTF-8", s, limit, got)
		case strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }):
			t.Errorf("Clip(%q, %d) = %q, want characters that can be printed", s, limit, got)
		case text.Clip(got, limit) != got:
			t.Errorf("Clip(%q, %d) = %q, which is clipped again; want it kept", s, limit, got)
		}
	})
}
