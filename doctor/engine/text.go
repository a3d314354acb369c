package engine

import (
	"fmt"
	"io"
	"strings"
)

// marks are the signs for the statuses in a report.
var marks = map[Status]string{OK: "✓", Warn: "!", Fail: "✗", NA: "–"}

// WriteText writes r for a log or a file: a line for each check. For a
// terminal, use [Screen].
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "matrixrtc-auth doctor %s, from %s\n", r.Version, r.Vantage)
	last := ""
	for _, c := range r.Checks {
		if title := r.title(c.ID); title != last {
			fmt.Fprintf(&b, "\n%s\n", title)
			last = title
		}
		c.write(&b)
	}
	s := r.Summary
	fmt.Fprintf(&b, "\n%d right, %s, %s, %d not looked at\n", s.OK, plural(s.Warn, "warning"), plural(s.Fail, "fault"), s.NA)
	_, err := io.WriteString(w, b.String())
	return err
}

// title returns the title of the group to which the check belongs.
func (r Report) title(id string) string {
	for _, g := range r.groups {
		if g.ID == GroupOf(id) {
			return g.Title
		}
	}
	return GroupOf(id)
}

func (c Result) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %s %s: %s\n", marks[c.Status], c.name(), c.Seen)
	if c.Cause == "" {
		return
	}
	fmt.Fprintf(b, "      cause:  %s\n      remedy: %s\n", c.Cause, c.Remedy)
	if c.ElementCallCode != "" {
		fmt.Fprintf(b, "      Element Call shows: %s\n", c.ElementCallCode)
	}
}
