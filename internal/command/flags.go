package command

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// Flags are the options of a command. The help shows them in groups.
type Flags struct{ groups []*Group }

// Group is a group of options with a title, which may be "".
type Group struct {
	title string
	set   *pflag.FlagSet
}

// Group adds a group.
func (f *Flags) Group(title string) *Group {
	g := &Group{title, pflag.NewFlagSet("", pflag.ContinueOnError)}
	g.set.SortFlags = false
	f.groups = append(f.groups, g)
	return g
}

// Text adds an option that takes a value. If the user gives the option, its value
// is stored in *to; otherwise *to does not change. The parameter value is the
// placeholder for the option's value in the help. Giving the option twice is an
// error, because the first value would be lost.
func (g *Group) Text(to *string, name, value, help string) {
	g.set.Var(&text{to: to}, name, help)
	g.name(name, value)
}

// Texts adds an option that may be repeated. Its values, joined with commas, are
// stored in *to.
func (g *Group) Texts(to *string, name, value, help string) {
	g.set.Var(&text{to: to, joins: true}, name, help)
	g.name(name, value)
}

// text is the value of an option that [Flags.Text] or [Flags.Texts] has added.
type text struct {
	to           *string
	given, joins bool
}

func (t *text) Set(value string) error {
	switch {
	case !t.given:
		t.given, *t.to = true, value
	case t.joins:
		*t.to += "," + value
	default:
		return errors.New("the option is given twice; give it once")
	}
	return nil
}

func (t *text) String() string { return *t.to }

func (t *text) Type() string { return "string" }

// Parse adds an option that may be repeated. Each value is passed to the
// function parse.
func (g *Group) Parse(name, value, help string, parse func(string) error) {
	g.set.Func(name, help, parse)
	g.name(name, value)
}

// Switch adds an option that takes no value. If the user gives the option, *to
// becomes true.
func (g *Group) Switch(to *bool, name, help string) { g.set.BoolVar(to, name, *to, help) }

// valueName is the key of an annotation of a flag. The annotation holds the
// placeholder for the flag's value in the help.
const valueName = "value"

func (g *Group) name(flag, value string) {
	g.set.Lookup(flag).Annotations = map[string][]string{valueName: {value}}
}

// The layout of the help, in columns.
const (
	column = 26 // the column at which the descriptions of options begin
	width  = 80
)

func (g *Group) write(w io.Writer) {
	if g.title != "" {
		fmt.Fprintf(w, "%s:\n", g.title)
	}
	g.set.VisitAll(func(f *pflag.Flag) {
		head := "  --" + f.Name
		if value := f.Annotations[valueName]; len(value) > 0 {
			head += " " + value[0]
		}
		lines := wrap(f.Usage, width-column)
		if len(head) > column-2 {
			fmt.Fprintln(w, head)
			head = ""
		}
		for _, line := range lines {
			fmt.Fprintf(w, "%-*s%s\n", column, head, line)
			head = ""
		}
	})
}

// wrap breaks a text at spaces into lines of at most limit bytes. A word that is
// longer than limit gets a line of its own.
func wrap(text string, limit int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > limit {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
