package setup

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"matrixrtc-auth/internal/pattern"
)

// stepsFile is the file in the folder that lists the remaining tasks.
const stepsFile = "next-steps.md"

const stepsHead = `# What is left to do

In this order: what serves runs and answers before anybody is told of it. This is of
the last run of ` + "`matrixrtc-auth setup`" + `, which does not know what you have done since.
`

// task is one thing that the operator must do.
type task struct {
	do       string   // what to do, with commands between backticks
	commands []string // the commands to type
	then     string   // what else must be done
	differs  []string // lines to add to a file; the output has shown them already
	check    string   // how to see that it is done: a command, and its expected output
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

// taskPage returns the content of stepsFile.
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

// writeBlock writes lines unchanged, as a block below an item of a list.
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

// outputWidth is the width at which lines of the output are wrapped.
const outputWidth = 96

// word matches a word, or a command between backticks. Commands are not
// wrapped.
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

// nextSteps prints the remaining tasks after the update.
func (p plan) nextSteps(w io.Writer, u *update, made *image) {
	if made.outcome == unchanged && !u.changes() {
		fmt.Fprintf(w, "\nNothing has changed.\n")
	}
	fmt.Fprintf(w, "\nWhat is left to do (%s has it, too):\n", stepsFile)
	printTasks(w, p.tasks(u, made.outcome == updated || u.changesOld()))
}
