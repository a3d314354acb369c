package setup

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// mostLines is the largest number of changed lines that the report shows for
// one file.
const mostLines = 16

// report prints what happened to each file, and which lines of existing files
// changed.
func (u *update) report(w io.Writer) {
	for _, s := range u.steps {
		fmt.Fprintf(w, "%-26s %s\n", s.name, s.word())
		switch s.outcome {
		case updated, kept, replaced:
			s.reportLines(w)
		case joined:
			s.reportJoined(w)
		}
		if s.closed != 0 {
			fmt.Fprintf(w, "    ! its mode is %o, so the service's container cannot read it. The file needs no secret,\n      because .env has the key. If the file has none, run: chmod 644 %s\n", s.closed, s.name)
		}
		if s.editedBackup != "" {
			fmt.Fprintf(w, "%-26s replaced; the edited one is %s\n", s.name+newSuffix, s.editedBackup)
		}
		if s.stale {
			fmt.Fprintf(w, "%-26s removed: it has no purpose any more\n", s.name+newSuffix)
		}
	}
	for _, name := range slices.Sorted(slices.Values(u.unused)) {
		fmt.Fprintf(w, "%-26s written by an earlier run, but nothing uses it now: remove it\n", name)
	}
}

func (s step) word() string {
	switch s.outcome {
	case created:
		return "new"
	case unchanged:
		return "unchanged"
	case joined:
		return s.result.word(s.writes())
	case yours:
		return "yours: it was edited, and setup has nothing new for it"
	case updated:
		return "updated"
	case replaced:
		return "replaced; the edited one is " + s.backup
	default:
		return "kept, because it was edited; what setup would write is " + s.name + newSuffix
	}
}

// reportLines prints the changed lines of a file. Of .env it prints only the
// names of variables. Of other secret files it prints nothing. It prints no
// line that a person wrote, because the line may hold a password.
func (s step) reportLines(w io.Writer) {
	if s.secret && s.name != envFile {
		return
	}
	if s.name == stepsFile { // nextSteps prints the tasks later
		return
	}
	lines := difference(strings.Split(s.old, "\n"), strings.Split(s.content, "\n"))
	if s.outcome != updated {
		all := len(lines)
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "- ") })
		defer reportEdited(w, all-len(lines))
	}
	if s.secret {
		lines = namesIn(lines)
	}
	printLines(w, lines)
}

// word says what happened to a file that setup merged. written says whether
// setup wrote the file.
func (m merged) word(written bool) string {
	if !written {
		return "unchanged; your lines are in it"
	}
	return "updated; your lines stay"
}

// reportJoined prints what changed in a file that setup merged. Of .env it
// prints no values. It prints the names whose values setup changed, and the
// names whose values a person changed and setup kept.
func (s step) reportJoined(w io.Writer) {
	if s.name != envFile {
		printLines(w, difference(strings.Split(s.old, "\n"), strings.Split(s.result.text, "\n")))
		return
	}
	for _, name := range s.result.changed {
		fmt.Fprintf(w, "    changed: %s\n", name)
	}
	for _, name := range s.result.yours {
		fmt.Fprintf(w, "    yours: %s\n", name)
	}
	for _, name := range s.result.conflicts {
		fmt.Fprintf(w, "    ! yours stays: %s; the answers now give another value: see below\n", name)
	}
}

// news returns the lines of setup's new content that are not in the file that a
// person edited. It returns none for a secret file.
func (s step) news() (lines []string) {
	if s.secret {
		return nil
	}
	for _, line := range difference(strings.Split(s.old, "\n"), strings.Split(s.content, "\n")) {
		if strings.HasPrefix(line, "+ ") {
			lines = append(lines, line)
		}
	}
	if len(lines) > mostLines {
		lines = append(lines[:mostLines:mostLines], fmt.Sprintf("and %d more lines", len(lines)-mostLines))
	}
	return lines
}

// reportEdited prints n, the number of lines that the edited file has and
// setup's new content lacks.
func reportEdited(w io.Writer, n int) {
	if n > 0 {
		fmt.Fprintf(w, "    - lines of the edited file, not shown: %d\n", n)
	}
}

// printLines prints the first lines, at most mostLines of them, and how many
// more lines there are.
func printLines(w io.Writer, lines []string) {
	for i, line := range lines {
		if i == mostLines {
			fmt.Fprintf(w, "    … and %d more lines\n", len(lines)-i)
			return
		}
		fmt.Fprintln(w, "    "+line)
	}
}

// changedLine matches a line of a diff with a removed or added NAME=value. Its
// group is the NAME.
var changedLine = pattern.New(`^[+-] (?:export )?([A-Z][A-Z0-9_]*)=`)

// namesIn returns the text "changed: NAME" for each variable that is set in one
// of the given lines. It returns each text only once.
func namesIn(lines []string) (names []string) {
	for _, line := range lines {
		match := changedLine().FindStringSubmatch(line)
		if match != nil && !slices.Contains(names, "changed: "+match[1]) {
			names = append(names, "changed: "+match[1])
		}
	}
	return names
}

// difference returns the lines that only one of the texts old and new has, in
// order. "- " precedes a line of old, and "+ " a line of new.
func difference(old, new []string) (lines []string) {
	common := commonLengths(old, new)
	i, k := 0, 0
	for i < len(old) || k < len(new) {
		switch {
		case i < len(old) && k < len(new) && old[i] == new[k]:
			i, k = i+1, k+1
		case k == len(new) || i < len(old) && common[i+1][k] >= common[i][k+1]:
			lines = append(lines, "- "+old[i])
			i++
		default:
			lines = append(lines, "+ "+new[k])
			k++
		}
	}
	return lines
}

// longestDifference is the largest number of lines of a text for which the
// function difference finds the shortest difference.
const longestDifference = 1000

// commonLengths returns a table. Its entry [i][k] is the length of the longest
// common subsequence of old[i:] and new[k:].
func commonLengths(old, new []string) [][]int {
	table := make([][]int, len(old)+1)
	for i := range table {
		table[i] = make([]int, len(new)+1)
	}
	if len(old) > longestDifference || len(new) > longestDifference {
		return table // with an empty table the difference is correct, but not the shortest one
	}
	for i := len(old) - 1; i >= 0; i-- {
		for k := len(new) - 1; k >= 0; k-- {
			if old[i] == new[k] {
				table[i][k] = table[i+1][k+1] + 1
			} else {
				table[i][k] = max(table[i+1][k], table[i][k+1])
			}
		}
	}
	return table
}
