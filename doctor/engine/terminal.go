package engine

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Screen is a terminal at which a person reads a report: what is wrong first,
// then a line for each group.
type Screen struct {
	Width, Height int // in characters and lines; 0 means 80 and 24
	Colour        bool
	All           bool // a line for each check
	// Note stands before the summary, "" for none.
	Note string
}

// The colours of a terminal (ECMA-48, SGR), by state; bold is for headings.
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

// page is what is written so far.
type page struct {
	Screen
	lines  []string
	faults []int // the lines at which faults begin
}

// problem is all that there is to say of a check that found something.
func (p *page) problem(c Result) {
	p.line("", "", "")
	if c.Status == Fail {
		p.faults = append(p.faults, len(p.lines))
	}
	p.line(p.paint(colours[c.Status], Marks[c.Status])+" ", "  ", p.paint(bold, c.name())+": "+c.Cause)
	p.line("  "+p.paint(bold, "remedy:")+" ", "    ", c.Remedy)
	p.line("  seen: ", "    ", c.Seen)
	if c.ElementCallCode != "" {
		p.line("  Element Call shows: ", "    ", c.ElementCallCode)
	}
}

// group is one line about the checks of a group, or one for each.
func (p *page) group(g Group, checks []Result) {
	if len(checks) == 0 {
		return
	}
	var s Summary
	var why []string
	for _, c := range checks {
		s.count(c.Status)
		if c.after != "" && GroupOf(c.after) == g.ID { // which says why
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
	p.line(p.paint(colours[s.worst()], Marks[s.worst()])+" ", "  ", text)
	for _, c := range checks {
		if p.All {
			p.line("  "+p.paint(colours[c.Status], Marks[c.Status])+" ", "      ", c.name()+": "+c.Seen)
		}
	}
}

// above says how many faults lie above what the screen shows at the end.
func (p *page) above() string {
	const prompt = 1 // the shell's, which takes a line, and the summary one
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

// line adds text behind first, wrapped at the screen's width; what does not fit
// goes on behind hang.
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

// paint colours a text, each word for itself: a line may end between them.
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

// visible is how many characters of a text a terminal shows.
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

// name is the check's id, and its server where there are several.
func (c Result) name() string {
	if c.Server == "" {
		return c.ID
	}
	return c.ID + " (" + c.Server + ")"
}

// of returns the checks of a group.
func (r Report) of(g Group) []Result {
	return slices.DeleteFunc(slices.Clone(r.Checks), func(c Result) bool { return GroupOf(c.ID) != g.ID })
}

// worst is the state that matters most.
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

// String counts what there is.
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

// plural counts things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
