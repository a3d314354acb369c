package setup

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"matrixrtc-auth/internal/pattern"
)

// stepsFile has what is left to do, beside the files that it is about.
const stepsFile = "next-steps.md"

const stepsHead = `# What is left to do

In this order: what serves runs and answers before anybody is told of it. This is of
the last run of ` + "`matrixrtc-auth setup`" + `, which does not know what you have done since.
`

// task is one thing that is left for a person to do.
type task struct {
	do       string   // what; commands in it stand between backticks
	commands []string // what to type for it
	then     string   // what else there is to it
	differs  []string // lines that a file is to get; the output has shown them already
	check    string   // how they see that it is done: a command, and what it must say
}

// printTasks prints the tasks, numbered, for a terminal.
func printTasks(w io.Writer, tasks []task) {
	for i, t := range tasks {
		lines := wrap(t.do)
		for _, c := range t.commands {
			lines = append(lines, "  "+c)
		}
		lines = append(append(lines, wrap(t.then)...), wrap("Check: "+t.check)...)
		for k, line := range lines {
			head := ""
			if k == 0 {
				head = fmt.Sprintf("%d.", i+1)
			}
			fmt.Fprintf(w, "%4s %s\n", head, line)
		}
	}
}

// taskPage is the content of stepsFile.
func taskPage(tasks []task) string {
	var b strings.Builder
	b.WriteString(stepsHead)
	for i, t := range tasks {
		fmt.Fprintf(&b, "\n%-3s %s\n", fmt.Sprintf("%d.", i+1), t.do)
		writeBlock(&b, "sh", t.commands)
		if t.then != "" {
			fmt.Fprintf(&b, "\n    %s\n", t.then)
		}
		writeBlock(&b, "diff", t.differs)
		fmt.Fprintf(&b, "\n    Check: %s\n", t.check)
	}
	return b.String()
}

// writeBlock writes lines as they are, below an item of a list.
func writeBlock(b *strings.Builder, kind string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n    ```%s\n", kind)
	for _, line := range lines {
		b.WriteString(strings.TrimRight("    "+line, " ") + "\n")
	}
	b.WriteString("    ```\n")
}

// outputWidth is where lines of the output end, where words allow.
const outputWidth = 96

// word is a word, or a command between backticks, which no line breaks.
var word = pattern.New("[^\\s`]*`[^`]*`\\S*|\\S+")

// wrap breaks a text into lines for the output.
func wrap(text string) (lines []string) {
	line := ""
	for _, w := range word().FindAllString(text, -1) {
		switch {
		case line == "":
			line = w
		case utf8.RuneCountInString(line+" "+w) > outputWidth:
			lines, line = append(lines, line), w
		default:
			line += " " + w
		}
	}
	if line == "" {
		return lines
	}
	return append(lines, line)
}

// nextSteps says what is left for a person to do after the update.
func (p plan) nextSteps(w io.Writer, u *update, made *image) {
	if made.outcome == unchanged && !u.changes() {
		fmt.Fprintf(w, "\nNothing has changed.\n")
	}
	fmt.Fprintf(w, "\nWhat is left to do (%s has it, too):\n", stepsFile)
	printTasks(w, p.tasks(u, made.outcome == updated || u.changesOld()))
}
