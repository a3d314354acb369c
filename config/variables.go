package config

import "slices"

//go:generate go run ./gendoc ../docs/variables.md

// Variable describes one environment variable. The table in table.go has all
// of them.
type Variable struct {
	Name    string
	Group   Group
	Default string // "" if there is no default
	// Meaning says what the variable is for. In Meaning and Form, the words
	// between backticks are code.
	Meaning string
	Form    Form
	// Secret means that the value is never shown.
	Secret bool

	how how
}

// Group is the heading above related variables in the documentation.
type Group string

// The groups, in the order of [Variables].
const (
	GroupSFU         Group = "LiveKit"
	GroupKeys        Group = "API key"
	GroupAccess      Group = "Access"
	GroupHomeservers Group = "Homeservers"
	GroupService     Group = "This service"
	GroupLeaves      Group = "Delegated leaves"
	GroupAppService  Group = "Application service"
	GroupMembership  Group = "Membership"
)

// how has the functions that parse and show the value of a variable.
type how struct {
	// parse checks the value v and sets fields of c. It may read other variables,
	// and fields that earlier variables of the table have set. parse is nil for a
	// variable that the parse function of another variable checks.
	parse func(j *judge, v value, c *Config)
	// show returns the value in effect, in the form in which the operator
	// writes it. For the old name of a variable, show is nil, because the value
	// is shown under the new name.
	show func(c *Config, name string) string
}

// field returns the two functions of a variable that sets one field of the
// Config. The parameter of is a function that returns a pointer to the field.
// parse reads the value, and show writes the value as text.
func field[T any](of func(*Config) *T, parse func(*judge, value) T, show func(T) string) how {
	return how{
		parse: func(j *judge, v value, c *Config) { *of(c) = parse(j, v) },
		show:  func(c *Config, _ string) string { return show(*of(c)) },
	}
}

// shownAs returns the functions of a variable that has no parse function, because the
// parse function of a different variable reads it. show writes the value as text.
func shownAs(show func(c *Config) string) how {
	return how{show: func(c *Config, _ string) string { return show(c) }}
}

// aFile has the functions of a variable that holds the path of a file. It has no parse
// function, because the parse function of a different variable reads this file. show
// returns the path.
var aFile = how{show: func(c *Config, name string) string { return c.File(name) }}

// Variables returns all variables, ordered by group.
func Variables() []Variable { return slices.Clone(table) }

// GroupOf returns the group of a variable; "" if this program has no such
// variable.
func GroupOf(name string) Group {
	for _, v := range table {
		if v.Name == name {
			return v.Group
		}
	}
	return ""
}

func known(name string) bool { return GroupOf(name) != "" }
