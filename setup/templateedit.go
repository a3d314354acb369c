package setup

import (
	"fmt"
	"strings"
)

// edit is a change of a template. It replaces the text from the start of `from`
// up to `until` by `with`. Both are lines, or parts of lines, and `from` occurs
// exactly once. If until is empty, only from is replaced.
type edit struct{ from, until, with string }

// change applies edits to a template in order. It returns an error if the place
// of an edit does not occur exactly once, because then the template does not
// fit this package.
func change(template, text string, edits ...edit) (string, error) {
	for _, e := range edits {
		if n := strings.Count(text, e.from); n != 1 {
			return "", fmt.Errorf("%s: %q occurs in it %d times, not once: this program is damaged", template, e.from, n)
		}
		before, after, _ := strings.Cut(text, e.from)
		if e.until != "" {
			i := strings.Index(after, e.until)
			if i < 0 {
				return "", fmt.Errorf("%s: %q does not follow %q: this program is damaged", template, e.until, e.from)
			}
			after = after[i:]
		}
		text = before + e.with + after
	}
	return text, nil
}
