package setup

import (
	"fmt"
	"strings"
)

// edit is a change of a template. It replaces the text from the start of `from`
// to the start of `until` by `with`. `from` must occur exactly once. If `until`
// is empty, it replaces only `from`. `from` and `until` are lines, or parts of
// lines.
type edit struct{ from, until, with string }

// change applies edits to a template, in order. It returns an error if the
// `from` of an edit does not occur exactly once. In that case the template
// does not fit this package.
func change(template, text string, edits ...edit) (string, error) {
	for _, e := range edits {
		if n := strings.Count(text, e.from); n != 1 {
			return "", fmt.Errorf("%s: the template contains %q %d times, not once: this program is damaged", template, e.from, n)
		}
		before, after, _ := strings.Cut(text, e.from)
		if e.until != "" {
			i := strings.Index(after, e.until)
			if i < 0 {
				return "", fmt.Errorf("%s: in the template, %q does not follow %q: this program is damaged", template, e.until, e.from)
			}
			after = after[i:]
		}
		text = before + e.with + after
	}
	return text, nil
}
