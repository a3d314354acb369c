package setup

import (
	"regexp"
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// grammar describes a file whose lines set names to values, one name per line.
// setup changes no other lines of such a file.
type grammar struct {
	line  func() *regexp.Regexp // matches the text in front of the value; the regular expression's group is the name
	write func(value string) string
}

var (
	envGrammar = grammar{
		pattern.New(`^\x{feff}?\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*`),
		func(value string) string { return value },
	}
	answersGrammar = grammar{pattern.New(`^([a-z][a-z0-9-]*):[ \t]*`), yamlText}
)

// nameIn returns the name that a line sets, or "" if it sets none.
func (g grammar) nameIn(line string) string {
	if match := g.line().FindStringSubmatch(line); match != nil {
		return match[1]
	}
	return ""
}

// find returns the index of the last line that sets name, or -1 if no line
// does.
func (g grammar) find(lines []string, name string) int {
	for i, line := range slices.Backward(lines) {
		if g.nameIn(line) == name {
			return i
		}
	}
	return -1
}

// names returns the names that the lines of text set.
func (g grammar) names(text string) (names []string) {
	for line := range strings.Lines(text) {
		if name := g.nameIn(line); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// set returns line with another value. The text around the value stays, with
// the line break.
func (g grammar) set(line, value string) string {
	before := g.line().FindString(line)
	rest := line[len(before):]
	if value = g.write(value); value != "" && strings.HasSuffix(before, ":") {
		before += " "
	}
	return before + value + rest[valueEnd(rest):]
}

// valueEnd returns the length of the value at the start of text. The value
// ends at its closing quotation mark, before a comment, or before the white
// space at the line's end.
func valueEnd(text string) int {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		for i := 1; i < len(text); i++ {
			switch {
			case text[i] == '\\' && text[0] == '"':
				i++
			case text[i] == text[0]:
				return i + 1
			}
		}
	}
	value, _, _ := strings.Cut(text, " #")
	if strings.HasPrefix(text, "#") {
		value = ""
	}
	return len(strings.TrimRight(value, " \t\r\n"))
}

// splitLines returns the lines of text, each with its line break. If the last
// line has no line break, splitLines adds one.
func splitLines(text string) (lines []string) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return slices.Collect(strings.Lines(text))
}

// add finds the line of content that sets name. It copies this line, with the
// comment above it, to the end of lines. It leaves out comment lines that lines
// already contain.
func (g grammar) add(lines []string, content, name string) []string {
	for _, paragraph := range strings.SplitAfter(content, "\n\n") {
		all := splitLines(strings.TrimRight(paragraph, "\n"))
		i := g.find(all, name)
		if i < 0 {
			continue
		}
		var comment []string
		for _, line := range all {
			if strings.HasPrefix(line, "#") && !slices.Contains(lines, line) {
				comment = append(comment, line)
			}
		}
		if len(comment) > 0 && len(lines) > 0 {
			lines = append(lines, "\n")
		}
		return append(append(lines, comment...), all[i])
	}
	return lines
}
