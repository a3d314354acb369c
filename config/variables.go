package config

import "slices"

//go:generate go run ./gendoc ../docs/variables.md

// Variable describes one environment variable.
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

// Group is what some variables are about, as a heading.
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

// how says how a variable becomes a part of the [Config], and how that is
// shown.
type how struct {
	// parse judges v and sets what it decides. It may read other variables, and
	// what variables further up have set. It is nil for one that the parser of
	// another variable reads.
	parse func(j *judge, v value, c *Config)
	// show returns the value in effect, as the variable takes it. It is nil for
	// another name of a variable: what that has set stands there.
	show func(c *Config, name string) string
}

// field is how a variable decides one field alone.
func field[T any](of func(*Config) *T, parse func(*judge, value) T, show func(T) string) how {
	return how{
		parse: func(j *judge, v value, c *Config) { *of(c) = parse(j, v) },
		show:  func(c *Config, _ string) string { return show(*of(c)) },
	}
}

// shownAs is how a variable that the parser of another one reads is shown.
func shownAs(show func(c *Config) string) how {
	return how{show: func(c *Config, _ string) string { return show(c) }}
}

// aFile is how a variable that names a file is shown; the parser of another one
// reads it.
var aFile = how{show: func(c *Config, name string) string { return c.File(name) }}

// Variables describes every variable, those of a group together.
func Variables() []Variable { return slices.Clone(table) }

// GroupOf returns the group of a variable, "" for one that is not ours.
func GroupOf(name string) Group {
	for _, v := range table {
		if v.Name == name {
			return v.Group
		}
	}
	return ""
}

func known(name string) bool { return GroupOf(name) != "" }
