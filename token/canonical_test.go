package token

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{nil, `[]`},
		{[]string{""}, `[""]`},
		{[]string{"a", "b"}, `["a","b"]`},
		{[]string{"& < > / '"}, `["& < > / '"]`},
		{[]string{"é 日 😀 \u2028\u2029 \u007f\u0080"}, "[\"é 日 😀 \u2028\u2029 \u007f\u0080\"]"},
		{[]string{`"`, `\`}, `["\"","\\"]`},
		{[]string{"\b\t\n\f\r"}, `["\b\t\n\f\r"]`},
		{[]string{"\x00\x0b\x1f"}, `["\u0000\u000b\u001f"]`},
	} {
		t.Run(fmt.Sprint(c.parts), func(t *testing.T) {
			if got := string(appendCanonical(nil, c.parts)); got != c.want {
				t.Errorf("canonical JSON of %q = %s, want %s", c.parts, got, c.want)
			}
		})
	}
}

// FuzzCanonical compares appendCanonical with an implementation of RFC 8785.
// For arrays of strings, RFC 8785 and Matrix canonical JSON give the same text.
func FuzzCanonical(f *testing.F) {
	f.Add("!a&b<>:x", "m.call#ROOM", "😀\u2028\x01\x7f")
	f.Add("\"\\/\b\f\n\r\t", "\x00\x1f", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) || !utf8.ValidString(c) {
			return // all identifiers of package matrix are valid UTF-8
		}
		parts := []string{a, b, c}
		loose, err := json.Marshal(parts)
		if err != nil {
			t.Fatal(err)
		}
		want, err := jcs.Transform(loose)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendCanonical(nil, parts); string(got) != string(want) {
			t.Errorf("canonical JSON of %q = %s, want %s", parts, got, want)
		}
	})
}
