package setup

import (
	"regexp"
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// grammar describes how a file sets names to values, one per line. setup
// changes no other lines.
type grammar struct {
	line  func() *regexp.Regexp // matches the text before the value; the group of the match is the name
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

// find returns the index of the last line that sets a name, or -1 if there is
// none.
func (g grammar) find(lines []string, name string) int {
	for i, line := range slices.Backward(lines) {
		if g.nameIn(line) == name {
			return i
		}
	}
	return -1
}

// names returns the names that a text sets.
func (g grammar) names(text string) (names []string) {
	for line := range strings.Lines(text) {
		if name := g.nameIn(line); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// set returns the line with another value. The text before and after the value
// stays, with the end of the line.
func (g grammar) set(line, value string) string {
	before := g.line().FindString(line)
	rest := line[len(before):]
	if value = g.write(value); value != "" && strings.HasSuffix(before, ":") {
		before += " "
	}
	return before + value + rest[valueEnd(rest):]
}

// valueEnd returns the length of the value at the start of a text. A value ends
// at its closing quotation mark, at a comment, or before the white space at the
// end.
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

// splitLines returns the lines of a text with their line ends. If the last line
// has none, splitLines adds one.
func splitLines(text string) (lines []string) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return slices.Collect(strings.Lines(text))
}

// add appends the line that sets name in content, with the comment above it. It
// leaves the comment out if lines already contain it.
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
