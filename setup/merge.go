package setup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// merger merges setup's new content into current, a file that a person edited.
type merger func(current, content string) (merged, error)

// merged is the result of a merger. Its names are those of variables in .env or of
// answers in answers.yaml.
type merged struct {
	text      string
	changed   []string // the names whose values setup changed
	yours     []string // the names whose values a person changed and setup keeps
	conflicts []string // the names whose values a person changed, and for which setup has a new value
	settled   []string // all names except conflicts; the checksums of their values are stored
}

// mergeAnswers sets every answer in answers.yaml to setup's value, and keeps
// all other lines.
func mergeAnswers(current, content string) (m merged, err error) {
	g, lines := answersGrammar, splitLines(current)
	values, _, err := parseAnswers(content)
	if err != nil {
		return m, err
	}
	for _, a := range new(options).answers() {
		i, value := g.find(lines, a.name), values[a.name]
		switch {
		case i < 0 && value != "":
			lines = append(lines, a.name+": "+g.write(value)+"\n")
		case i >= 0 && value == "":
			lines = slices.Delete(lines, i, i+1)
		case i >= 0:
			if old, _, err := parseAnswers(lines[i]); err != nil || old[a.name] != value {
				lines[i] = g.set(lines[i], value)
			}
		}
	}
	m.text = strings.Join(lines, "")
	if now, _, err := parseAnswers(m.text); err != nil || !maps.Equal(now, values) {
		return m, fmt.Errorf("%s has a value of more than one line: write each answer in one line, or remove the file", answersFile)
	}
	return m, nil
}

// envMerge merges setup's new content into a .env that a person edited; see
// [envMerge.join].
type envMerge struct {
	// wrote reports whether value is what setup last wrote for name. known is
	// false if no record says what setup wrote.
	wrote func(name, value string) (yes, known bool)
	// ask asks a person whether setup's value replaces the person's own. It is
	// nil if there is nobody to ask.
	ask func(name, value string) (bool, error)
	// renewed is the variable that gets a new value because the operator asked
	// for a new value; "" if there is no such variable.
	renewed string
}

// The service does not run without these variables. If the file lacks a
// variable in needed, setup adds the line. If a variable in filled has an
// empty value, setup writes the value.
var (
	filled = []string{"LIVEKIT_KEY", "LIVEKIT_SECRET", "LIVEKIT_URL"}
	needed = append([]string{"LIVEKIT_FULL_ACCESS_HOMESERVERS"}, filled...)
)

// join merges content into current. It changes lines that nobody changed since
// setup wrote them, and lines for which a person agrees to setup's value. It
// also adds lines that are missing.
func (e envMerge) join(current, content string) (m merged, err error) {
	old, err := parseEnv(current)
	if err != nil {
		return m, err
	}
	wanted, err := parseEnv(content)
	if err != nil {
		return m, err
	}
	lines := splitLines(current)
	for _, name := range envGrammar.names(content) {
		take, err := e.decide(&m, name, old, wanted[name])
		if err != nil {
			return m, err
		}
		if !take {
			continue
		}
		m.changed = append(m.changed, name)
		if i := envGrammar.find(lines, name); i >= 0 {
			lines[i] = envGrammar.set(lines[i], wanted[name])
		} else {
			lines = envGrammar.add(lines, content, name)
		}
	}
	m.text = current
	if len(m.changed) > 0 {
		m.text = strings.Join(lines, "")
	}
	return m, e.check(m, wanted)
}

// check returns an error if Compose would not read the changed values from the
// merged file.
func (e envMerge) check(m merged, wanted map[string]string) error {
	now, err := parseEnv(m.text)
	for _, name := range m.changed {
		if err == nil && now[name] != wanted[name] {
			err = fmt.Errorf("%s: setup cannot change the line of %s: write that line in the form %[2]s=value", envFile, name)
		}
	}
	return err
}

// decide reports whether the variable called name gets setup's value or keeps its
// old one. It records the decision in m.
func (e envMerge) decide(m *merged, name string, old map[string]string, value string) (take bool, err error) {
	current, there := old[name]
	itsOwn, known := e.wrote(name, current)
	same, _ := e.wrote(name, value)
	switch {
	case current == value:
	case name == e.renewed, itsOwn, !there && (!known || slices.Contains(needed, name)), current == "" && slices.Contains(filled, name):
		take = true
	case same:
		m.yours = append(m.yours, name)
	case e.ask == nil:
		m.conflicts = append(m.conflicts, name)
		return false, nil
	default:
		if take, err = e.ask(name, value); err == nil && !take {
			m.yours = append(m.yours, name)
		}
	}
	m.settled = append(m.settled, name)
	return take, err
}
