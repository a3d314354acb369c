package setup

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"matrixrtc-auth/setup/existing"
)

// takenFile says what setup took over from an old deployment, and what the
// operator must do by hand. setup writes the file once. Later runs keep the file
// until a person removes it.
const takenFile = "taking-over.md"

const takenHead = `# Taken over

What ` + "`matrixrtc-auth setup`" + ` took over from your old deployment, and what is different now.
setup only read these files, and changed none of them:
`

// page returns the content of takenFile. If t is nil, this run takes nothing
// over, and page returns the present content of the file.
func (t *takeover) page(dir *folder) (string, error) {
	if t == nil {
		content, _, err := dir.read(takenFile)
		return string(content), err
	}
	if err := t.nameLines(dir); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(takenHead)
	for _, name := range t.files {
		fmt.Fprintf(&b, "\n- %s", name)
	}
	b.WriteString("\n\n## What stays\n\n| What | Value | From |\n| --- | --- | --- |\n")
	for _, row := range t.stays() {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row[:], " | "))
	}
	done, yours := t.sorted()
	b.WriteString("\n## What is different in the new files\n\n")
	for _, f := range done {
		fmt.Fprintf(&b, "- **%s** %s%s. %s\n", verb(f), f.What, placed(f), f.Why)
	}
	b.WriteString("\n## What is left to you\n\nDo each of these together with the step of next-steps.md about the same thing.\n")
	for i, f := range yours {
		fmt.Fprintf(&b, "\n%-3s **%s** %s%s. %s\n", fmt.Sprintf("%d.", i+1), verb(f), f.What, placed(f), f.Why)
		writeBlock(&b, "", f.Lines)
		fmt.Fprintf(&b, "\n    Check: %s\n", f.Check)
	}
	return b.String(), nil
}

// nameLines adds a finding for each taken-over variable that an existing .env
// lacks, because setup writes these variables only into a new .env.
func (t *takeover) nameLines(dir *folder) error {
	content, found, err := dir.read(envFile)
	if !found || err != nil {
		return err
	}
	there, err := parseEnv(string(content))
	t.Variables = slices.DeleteFunc(t.Variables, func(v existing.Variable) bool {
		if there[v.Name] == strings.TrimSpace(v.Value.Reveal()) {
			return false
		}
		t.Findings = append(t.Findings, existing.Finding{
			Verb: existing.Add, What: v.Name + " to .env", Place: v.Place,
			Why: "The folder has a .env already, and setup does not add lines of the old deployment to it.", Check: "`grep " + v.Name + " .env` shows the line.",
		})
		return true
	})
	return err
}

// stays returns the rows of a table of what setup took over from the old
// deployment. The columns are a name, the value without secrets, and the place
// in the old files.
func (t *takeover) stays() (rows [][3]string) {
	for _, a := range t.taken {
		rows = append(rows, [3]string{a.option, shown(a.Value), a.Place.String()})
	}
	if t.Pair.ID != "" {
		rows = append(rows, [3]string{"key and secret", t.Pair.ID, t.Pair.Place.String()})
	}
	if t.Registration.Name != "" {
		rows = append(rows, [3]string{"tokens of the registration", "(not shown)", t.Registration.Name})
	}
	for _, v := range t.Variables {
		rows = append(rows, [3]string{v.Name, "a line of .env", v.Place.String()})
	}
	return rows
}

// sorted splits the findings into two lists: done has the findings about which
// the operator need not do anything, and yours has all other findings.
func (t *takeover) sorted() (done, yours []existing.Finding) {
	for _, f := range t.Findings {
		if f.Check == "" {
			done = append(done, f)
		} else {
			yours = append(yours, f)
		}
	}
	return done, yours
}

func verb(f existing.Finding) string {
	return strings.ToUpper(string(f.Verb[:1])) + string(f.Verb[1:])
}

// placed returns the place of a finding in brackets; "" if the finding has no
// place.
func placed(f existing.Finding) string {
	if f.Place.String() == "" {
		return ""
	}
	return " (" + f.Place.String() + ")"
}

// report prints a summary of takenFile.
func (t *takeover) report(w io.Writer) {
	if t == nil {
		return
	}
	fmt.Fprintf(w, "\nTaken over from the old deployment (%s has this list, too):\n", takenFile)
	for _, row := range t.stays() {
		fmt.Fprintf(w, "  %-26s %s (%s)\n", row[0], row[1], row[2])
	}
	done, yours := t.sorted()
	printFindings(w, "Different in the new files:", done)
	printFindings(w, "Left to you, besides the steps below:", yours)
}

func printFindings(w io.Writer, head string, list []existing.Finding) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", head)
	for _, f := range list {
		lines := wrap(fmt.Sprintf("%s %s%s. %s", verb(f), f.What, placed(f), f.Why))
		for _, line := range f.Lines {
			lines = append(lines, "  "+line)
		}
		if f.Check != "" {
			lines = append(lines, wrap("Check: "+f.Check)...)
		}
		fmt.Fprintf(w, "   - %s\n", strings.Join(lines, "\n     "))
	}
}

// takenTasks returns the task to read takenFile, which lists the findings that
// are left to the operator.
func (p plan) takenTasks() []task {
	if p.takenPage == "" {
		return nil
	}
	return []task{{
		do:    fmt.Sprintf("Read %s. Do each point under \"What is left to you\" together with the step below about the same thing. When you have done all points, remove the file.", takenFile),
		check: fmt.Sprintf("`ls %s` finds no such file.", takenFile),
	}}
}

// stopTasks returns the task to stop the old programs, which use the same
// ports.
func (p plan) stopTasks() []task {
	if p.takenPage == "" {
		return nil
	}
	return []task{{
		do:    fmt.Sprintf("Stop the old LiveKit and its authorization service, as %s says, because the new containers use the same ports. (Container Manager: Project → Action → Stop.)", takenFile),
		check: "`docker ps` shows neither of the old containers.",
	}}
}
