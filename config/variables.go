package config

import "slices"

//go:generate go run ./gendoc ../docs/variables.md

// Variable describes one environment variable. table.go holds them all.
type Variable struct {
	Name    string
	Group   Group
	Default string // "" for none
	Meaning string
	Form    Form
	// Secret means that the value is never shown.
	Secret bool

	how how
}

// Group is the heading of related variables.
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

// how says how a variable is parsed into the [Config], and shown.
type how struct {
	// parse checks v and sets fields of c. It may read other variables, and
	// fields that earlier variables have set. It is nil for a variable that
	// another one's parser reads.
	parse func(j *judge, v value, c *Config)
	// show returns the value in effect, as the variable takes it. It is nil for
	// an old name, whose value is shown under the new one.
	show func(c *Config, name string) string
}

// field is how a variable sets one field.
func field[T any](of func(*Config) *T, parse func(*judge, value) T, show func(T) string) how {
	return how{
		parse: func(j *judge, v value, c *Config) { *of(c) = parse(j, v) },
		show:  func(c *Config, _ string) string { return show(*of(c)) },
	}
}

// shownAs is how a variable is shown that another one's parser reads.
func shownAs(show func(c *Config) string) how {
	return how{show: func(c *Config, _ string) string { return show(c) }}
}

// aFile is how a variable that names a file is shown. Another variable's parser
// reads it.
var aFile = how{show: func(c *Config, name string) string { return c.File(name) }}

// Variables returns every variable of the table, ordered by group.
func Variables() []Variable { return slices.Clone(table) }

// GroupOf returns the group of a variable, "" if it is not in the table.
func GroupOf(name string) Group {
	for _, v := range table {
		if v.Name == name {
			return v.Group
		}
	}
	return ""
}

func known(name string) bool { return GroupOf(name) != "" }
