package setup

import (
	"fmt"
	"strings"
)

// edit is a change of a template: what begins with from and ends before until
// becomes with. Both are whole lines or parts of lines of the template, and
// from stands in it exactly once. Without until, from alone is replaced.
type edit struct{ from, until, with string }

// change makes the edits of a template, one after the other. An edit whose
// place is not there, or not the only one, is an error: then the template and
// this package no longer go together.
func change(template, text string, edits ...edit) (string, error) {
	for _, e := range edits {
		if n := strings.Count(text, e.from); n != 1 {
			return "", fmt.Errorf("%s: %q stands in it %d times, not once: this program is damaged", template, e.from, n)
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
