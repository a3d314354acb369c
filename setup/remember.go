package setup

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// memory is what a deployment's folder tells about setup's answers in earlier
// runs.
type memory struct {
	there   bool              // whether the folder has files of a deployment
	written bool              // whether setup wrote any file of the deployment
	answers map[string]string // the answers, by option; "" for an option that is switched off
	told    map[string]string // for each option whose answer is not in answersFile: the file from which the answer comes
	lost    []string          // the options whose answers setup once stored, but no file has now

	unknown                 []string // the names in answersFile that are not options of this version
	certificate, privateKey []byte   // the folder's copies of the files of --turn-cert and --turn-key
}

// remember reads the answers in a folder. If answersFile lacks an answer,
// remember takes the answer from other files. It does so because an earlier
// version of setup wrote no answersFile.
func remember(dir *folder) (m memory, err error) {
	content, found, err := dir.read(answersFile)
	if err != nil {
		return m, err
	}
	sums, err := readSums(dir)
	if err != nil {
		return m, err
	}
	m.there, m.written = found, len(sums) > 0
	if m.answers, m.unknown, err = parseAnswers(string(content)); err != nil {
		return m, err
	}
	if err := m.readCopies(dir); err != nil {
		return m, err
	}
	if m.complete() {
		return m, nil
	}
	return m, m.readTraces(dir)
}

// complete reports whether answersFile has each answer that it must always
// have.
func (m *memory) complete() bool {
	for _, a := range new(options).answers() {
		if _, found := m.answers[a.name]; a.always && !found {
			return false
		}
	}
	return true
}

// readCopies reads the folder's copies of the TURN certificate and of its key.
func (m *memory) readCopies(dir *folder) (err error) {
	if m.certificate, _, err = dir.read(certFile); err != nil {
		return err
	}
	m.privateKey, _, err = dir.read(keyFile)
	return err
}

// readTraces finds the answers that answersFile lacks. It adds an answer to m
// if another file has it, and notes it in m.lost if no file has it any more.
func (m *memory) readTraces(dir *folder) error {
	t, err := readTraces(dir)
	if err != nil {
		return err
	}
	m.there = m.there || m.written || t.found
	m.told = map[string]string{}
	for _, a := range new(options).answers() {
		trace, told := t.of[a.name]
		_, known := m.answers[a.name]
		switch {
		case known:
		case told:
			m.answers[a.name], m.told[a.name] = trace.value, trace.file
		case slices.Contains(traced, a.name):
			m.lost = append(m.lost, a.name)
		}
	}
	return nil
}

// notes returns notes for the operator about answers that answersFile lacks
// and about unknown names in it.
func (m *memory) notes() (list []string) {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(m.told)) {
		told = append(told, fmt.Sprintf("%s %s (%s)", name, shown(m.answers[name]), m.told[name]))
	}
	if len(told) > 0 {
		list = append(list, fmt.Sprintf("%s does not have all answers; known from other files: %s", answersFile, strings.Join(told, ", ")))
	}
	if m.there && len(m.lost) > 0 {
		list = append(list, "not known any more: "+strings.Join(m.lost, ", "))
	}
	for _, name := range m.unknown {
		list = append(list, fmt.Sprintf("%s: %s is no option of this version; its line stays", answersFile, name))
	}
	return list
}

// demand returns an error for each answer that setup once stored and that no
// file has now. setup must not guess such an answer.
func (m *memory) demand(o *options) (faults []error) {
	ended := o.endedNow()
	for _, a := range o.answers() {
		if !m.written || !slices.Contains(m.lost, a.name) || o.given[a.name] || ended[a.name] {
			continue
		}
		say := "say it again"
		switch {
		case a.yes != nil:
			say = fmt.Sprintf("say --%[1]s or --%[1]s=false", a.name)
		case a.optional():
			say += ", or " + none
		}
		faults = append(faults, fmt.Errorf("--%s: setup no longer knows this answer, because no file in the folder has it: %s", a.name, say))
	}
	return faults
}

// shown returns the text that a person sees for an answer's value.
func shown(value string) string {
	switch value {
	case "":
		return "–"
	case "true":
		return "yes"
	case "false":
		return "no"
	}
	return value
}

// list prints the answers, numbered.
func (o *options) list(w io.Writer) {
	for i, a := range o.answers() {
		fmt.Fprintf(w, "  %2d  %-15s %s\n", i+1, a.name, shown(a.get()))
	}
}

// tell prints the answers, and how to change them. setup calls it if there is
// nobody to ask.
func (o *options) tell(w io.Writer) {
	fmt.Fprintf(w, "The answers of this folder:\n")
	o.list(w)
	fmt.Fprintf(w, `
Nothing has been changed. To change an answer, give its option, for example --turn,
--turn=false or --homeserver-url %s. With --yes, setup writes the files with the
answers as they are.
`, none)
}
