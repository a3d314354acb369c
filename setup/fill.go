package setup

import (
	"errors"
	"fmt"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// action matches one {{…}} of a template. As in text/template, "{{- " removes
// the white space in front of the action, and " -}}" the white space behind
// it.
var action = pattern.New(`(?s)(?:\s*\{\{-\s|\{\{)(.*?)(?:\s-\}\}\s*|\}\})`)

// fill replaces the actions of a template: {{.Name}} by the value of that name,
// and {{if .Name}}…{{else}}…{{end}} by one of its branches. A value counts as
// true if it is not empty. Other actions and names without a value are errors,
// even in a branch that is not used.
//
// setup does not use the package text/template, because that package finds
// methods by their names at run time. The linker would then keep every method
// of the program, which adds 11 MB.
func fill(template string, values map[string]string) (string, error) {
	f := &filler{values: values}
	end := 0
	for _, at := range action().FindAllStringSubmatchIndex(template, -1) {
		f.write(template[end:at[0]])
		if err := f.act(template[at[2]:at[3]]); err != nil {
			return "", err
		}
		end = at[1]
	}
	f.write(template[end:])
	switch {
	case strings.Contains(template[end:], "{{"):
		return "", errors.New("a {{ has no }}")
	case len(f.blocks) > 0:
		return "", errors.New("an {{if}} has no {{end}}")
	}
	return f.out.String(), nil
}

// filler is the state of one call of fill.
type filler struct {
	values map[string]string
	blocks []block // the {{if}} blocks around the text being read, the innermost last
	out    strings.Builder
}

// block is an {{if}} whose {{end}} has not been read yet. Its three fields are:
//   - written: the branch being read goes to the output
//   - otherwise: the branch after {{else}} will go to the output
//   - inElse: {{else}} has been read
type block struct{ written, otherwise, inElse bool }

// writes reports whether the text being read is written to the output.
func (f *filler) writes() bool {
	n := len(f.blocks)
	return n == 0 || f.blocks[n-1].written
}

func (f *filler) write(text string) {
	if f.writes() {
		f.out.WriteString(text)
	}
}

// act carries out one action of the template.
func (f *filler) act(text string) error {
	if text == "else" || text == "end" {
		return f.leave(text)
	}
	name, isIf := strings.CutPrefix(text, "if ")
	field, isField := strings.CutPrefix(name, ".")
	value, found := f.values[field]
	switch {
	case !isField || !found:
		return fmt.Errorf("{{%s}} is not an action that setup knows", text)
	case isIf:
		f.blocks = append(f.blocks, block{
			written:   f.writes() && value != "",
			otherwise: f.writes() && value == "",
		})
	default:
		f.write(value)
	}
	return nil
}

// leave ends the branch being read at an {{else}} or {{end}}.
func (f *filler) leave(word string) error {
	last := len(f.blocks) - 1
	if last < 0 || word == "else" && f.blocks[last].inElse {
		return fmt.Errorf("{{%s}} without an {{if}} before it", word)
	}
	if word == "end" {
		f.blocks = f.blocks[:last]
		return nil
	}
	f.blocks[last] = block{written: f.blocks[last].otherwise, inElse: true}
	return nil
}
