package setup

import (
	"regexp"
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// grammar is how a file gives names values, one in a line. Everything else in
// such a file belongs to whoever wrote it.
type grammar struct {
	line  func() *regexp.Regexp // what stands before the value; its group is the name
	write func(value string) string
}

var (
	envGrammar = grammar{
		pattern.New(`^\x{feff}?\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*`),
		func(value string) string { return value },
	}
	answersGrammar = grammar{pattern.New(`^([a-z][a-z0-9-]*):[ \t]*`), yamlText}
)

// nameIn is the name to which a line gives a value, or "".
func (g grammar) nameIn(line string) string {
	if match := g.line().FindStringSubmatch(line); match != nil {
		return match[1]
	}
	return ""
}

// find is the line that gives a name its value, which is the last one, or -1.
func (g grammar) find(lines []string, name string) int {
	for i, line := range slices.Backward(lines) {
		if g.nameIn(line) == name {
			return i
		}
	}
	return -1
}

// names are those to which a text gives values.
func (g grammar) names(text string) (names []string) {
	for line := range strings.Lines(text) {
		if name := g.nameIn(line); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// set puts another value into a line. What stands before and behind it stays,
// the end of the line included.
func (g grammar) set(line, value string) string {
	before := g.line().FindString(line)
	rest := line[len(before):]
	if value = g.write(value); value != "" && strings.HasSuffix(before, ":") {
		before += " "
	}
	return before + value + rest[valueEnd(rest):]
}

// valueEnd is how long the value is with which a text begins: to the closing
// quotation mark, or to a comment or the white space at its end.
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

// splitLines are the lines of a text with their ends. The last gets one, too.
func splitLines(text string) (lines []string) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return slices.Collect(strings.Lines(text))
}

// add puts the line of a name behind the lines, with the comment that it has in
// content. A comment that is there already does not come twice.
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
