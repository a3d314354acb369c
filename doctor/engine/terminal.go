package engine

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Screen writes a report for a person at a terminal: first the faults, then a
// line for each group.
type Screen struct {
	Width, Height int  // the terminal's size in characters and lines; 0 means 80 and 24
	Colour        bool // whether to use colours; the variable NO_COLOR switches them off
	All           bool // whether to print a line for each check, not only for each group
	// Note is a text that is printed before the summary; "" for none.
	Note string
}

// The colours of the statuses on a terminal (ECMA-48, SGR), and bold for
// headings.
var colours = map[Status]string{OK: "32", Warn: "33", Fail: "31", NA: "2"}

const bold = "1"

// Write writes r for a person at the screen.
func (s Screen) Write(w io.Writer, r Report) error {
	if s.Width == 0 {
		s.Width = 80
	}
	if s.Height == 0 {
		s.Height = 24
	}
	page := &page{Screen: s}
	page.line("", "", fmt.Sprintf("matrixrtc-auth doctor %s, from %s", r.Version, r.Vantage))
	for _, status := range []Status{Fail, Warn} {
		for _, c := range r.Checks {
			if c.Status == status {
				page.problem(c)
			}
		}
	}
	page.line("", "", "")
	for _, g := range r.groups {
		page.group(g, r.of(g))
	}
	page.line("", "", "")
	if s.Note != "" {
		page.line("", "", s.Note)
	}
	page.line("", "", r.Summary.String()+page.above())
	_, err := io.WriteString(w, strings.Join(page.lines, "\n")+"\n")
	return err
}

// page is the text that was written so far, as lines.
type page struct {
	Screen
	lines  []string
	faults []int // the numbers of the lines at which faults begin
}

// problem writes everything about a check that found a fault or a warning.
func (p *page) problem(c Result) {
	p.line("", "", "")
	if c.Status == Fail {
		p.faults = append(p.faults, len(p.lines))
	}
	p.line(p.paint(colours[c.Status], marks[c.Status])+" ", "  ", p.paint(bold, c.name())+": "+c.Cause)
	p.line("  "+p.paint(bold, "remedy:")+" ", "    ", c.Remedy)
	p.line("  seen: ", "    ", c.Seen)
	if c.ElementCallCode != "" {
		p.line("  Element Call shows: ", "    ", c.ElementCallCode)
	}
}

// group writes one line about all checks of a group. If All is set, it also
// writes a line for each check.
func (p *page) group(g Group, checks []Result) {
	if len(checks) == 0 {
		return
	}
	var s Summary
	var why []string
	for _, c := range checks {
		s.count(c.Status)
		if c.after != "" && GroupOf(c.after) == g.ID { // the other check's line already gives the reason
			continue
		}
		if reason := strings.TrimPrefix(c.Seen, "not looked at: "); c.Status == NA && !slices.Contains(why, reason) {
			why = append(why, reason)
		}
	}
	text := p.paint(bold, g.Title) + ": " + s.String()
	if s.NA > 0 {
		text += ": " + strings.Join(why[:min(len(why), 2)], "; ")
	}
	if len(why) > 2 {
		text += "; …"
	}
	p.line(p.paint(colours[s.worst()], marks[s.worst()])+" ", "  ", text)
	for _, c := range checks {
		if p.All {
			p.line("  "+p.paint(colours[c.Status], marks[c.Status])+" ", "      ", c.name()+": "+c.Seen)
		}
	}
}

// above returns a remark that says how many faults are above the part of the
// report that fits on the screen; "" if there are none.
func (p *page) above() string {
	const prompt = 1 // the shell's prompt takes one line
	first := len(p.lines) + 1 + prompt - p.Height
	n := 0
	for _, at := range p.faults {
		if at < first {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return "; scroll up for " + plural(n, "fault")
}

// line writes text in lines that fit the screen's width. The argument first is
// the beginning of the first line. The argument hang is the beginning of each
// further line.
func (p *page) line(first, hang, text string) {
	current, used := first, visible(first)
	empty := true
	for word := range strings.FieldsSeq(text) {
		n := visible(word)
		switch {
		case empty:
		case used+1+n > p.Width:
			p.lines = append(p.lines, current)
			current, used, empty = hang, visible(hang), true
		default:
			current, used = current+" ", used+1
		}
		current, used, empty = current+word, used+n, false
	}
	p.lines = append(p.lines, current)
}

// paint colours each word of text by itself, because a line may end between
// two words.
func (p *page) paint(colour, text string) string {
	if !p.Colour {
		return text
	}
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = "\x1b[" + colour + "m" + word + "\x1b[0m"
	}
	return strings.Join(words, " ")
}

// visible returns how many characters of text a terminal shows: all but the
// codes for colours.
func visible(text string) int {
	n := 0
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "\x1b[")
		n += utf8.RuneCountInString(before)
		if !found {
			break
		}
		_, rest, _ = strings.Cut(after, "m")
	}
	return n
}

// name returns the id of the check. It adds the check's server if several
// servers were checked.
func (c Result) name() string {
	if c.Server == "" {
		return c.ID
	}
	return c.ID + " (" + c.Server + ")"
}

// of returns the results of the checks in a group.
func (r Report) of(g Group) []Result {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(c Result) bool { return GroupOf(c.ID) != g.ID })
}

// worst returns the most severe status.
func (s Summary) worst() Status {
	switch {
	case s.Fail > 0:
		return Fail
	case s.Warn > 0:
		return Warn
	case s.OK > 0:
		return OK
	}
	return NA
}

// String returns the number of checks with each status as a text.
func (s Summary) String() string {
	var parts []string
	for _, part := range []struct {
		n    int
		text string
	}{{s.Fail, plural(s.Fail, "fault")}, {s.Warn, plural(s.Warn, "warning")}, {s.OK, fmt.Sprintf("%d right", s.OK)}, {s.NA, fmt.Sprintf("%d not looked at", s.NA)}} {
		if part.n > 0 {
			parts = append(parts, part.text)
		}
	}
	return strings.Join(parts, ", ")
}

// plural returns the number n and the noun thing, with an s if n is not 1.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
