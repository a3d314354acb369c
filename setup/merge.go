package setup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// merger merges setup's content of a file with a person's changes.
type merger func(current, content string) (merged, error)

// merged is the result of a merger.
type merged struct {
	text      string
	changed   []string // names whose values setup has changed
	yours     []string // names whose values a person changed, and that stay
	conflicts []string // names whose values both a person and setup changed
	settled   []string // names that setup does not mention again until its value changes
}

// mergeAnswers sets every answer to setup's value, and keeps all other lines.
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
		return m, fmt.Errorf("%s holds a value in more than one line: write one line for each answer, or remove it", answersFile)
	}
	return m, nil
}

// envMerge merges .env.
type envMerge struct {
	// wrote reports whether setup wrote the value last; known is false if that is
	// unknown.
	wrote func(name, value string) (yes, known bool)
	// ask asks whether setup's value should replace a person's; nil if there is
	// nobody to ask.
	ask func(name, value string) (bool, error)
	// renewed is a name for which a new value was requested.
	renewed string
}

// needed are the names without which nothing runs: a missing line is restored.
// An empty value of a name in filled is set, too.
var (
	filled = []string{"LIVEKIT_KEY", "LIVEKIT_SECRET", "LIVEKIT_URL"}
	needed = append([]string{"LIVEKIT_FULL_ACCESS_HOMESERVERS"}, filled...)
)

// join changes only setup's lines. A line that a person changed stays, unless
// they agree to setup's value.
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

// check parses the result as Compose will.
func (e envMerge) check(m merged, wanted map[string]string) error {
	now, err := parseEnv(m.text)
	for _, name := range m.changed {
		if err == nil && now[name] != wanted[name] {
			err = fmt.Errorf("%s: the line of %s cannot be changed: write it as %[2]s=value", envFile, name)
		}
	}
	return err
}

// decide reports whether the name gets setup's value.
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
