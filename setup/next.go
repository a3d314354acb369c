package setup

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"matrixrtc-auth/internal/pattern"
)

// stepsFile is the file in the folder that lists what the operator must still
// do.
const stepsFile = "next-steps.md"

const stepsHead = `# What is left to do

Do these steps in this order: the service and LiveKit must answer before clients hear of
them. The last run of ` + "`matrixrtc-auth setup`" + ` wrote this list. It does not show which steps
you have done since.
`

// task is one thing that the operator must still do.
type task struct {
	do       string   // what the operator does; commands in the text are between backticks
	commands []string // the commands that the operator types for the task
	then     string   // what the operator does after the commands
	differs  []string // lines of a diff for stepsFile; on the terminal, the report has already shown them
	check    string   // how the operator sees that the task is done: a command, and its expected output
}

// printTasks prints the numbered tasks for a terminal.
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

// taskPage returns the tasks as a Markdown page, the content of stepsFile.
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

// writeBlock writes lines unchanged, as a Markdown code block inside a list
// item. kind is the language of the block, like sh.
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

// outputWidth is the largest number of characters in a line of the output.
const outputWidth = 96

// word matches a word, or a whole command between backticks, because a line
// break must not split a command.
var word = pattern.New("[^\\s`]*`[^`]*`\\S*|\\S+")

// wrap breaks text into lines of at most outputWidth characters.
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

// nextSteps prints what the operator must still do after the update.
func (p plan) nextSteps(w io.Writer, u *update, made *image) {
	if made.outcome == unchanged && !u.changes() {
		fmt.Fprintf(w, "\nNothing has changed.\n")
	}
	fmt.Fprintf(w, "\nWhat is left to do (%s has it, too):\n", stepsFile)
	printTasks(w, p.tasks(u, made.outcome == updated || u.changesOld()))
}
