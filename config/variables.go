package config

import "slices"

//go:generate go run ./gendoc ../docs/variables.md

// Variable describes one environment variable. The table in table.go has all
// of them.
type Variable struct {
	Name    string
	Group   Group
	Default string // "" if there is no default
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

// how says how the value of a variable gets into the [Config], and how it is
// shown.
type how struct {
	// parse checks v and sets fields of c. It may read other variables, and the
	// fields that earlier variables of the table have set. It is nil if the
	// parse function of another variable reads this one.
	parse func(j *judge, v value, c *Config)
	// show returns the value in effect, in the form that the variable has. It
	// is nil for an old name, because its value is shown under the new one.
	show func(c *Config, name string) string
}

// field returns the how of a variable that sets one field of the Config. The
// function of points to the field, parse reads the value, and show writes it as
// text.
func field[T any](of func(*Config) *T, parse func(*judge, value) T, show func(T) string) how {
	return how{
		parse: func(j *judge, v value, c *Config) { *of(c) = parse(j, v) },
		show:  func(c *Config, _ string) string { return show(*of(c)) },
	}
}

// shownAs returns the how of a variable that is read by another variable's
// parse function. show writes its value as text.
func shownAs(show func(c *Config) string) how {
	return how{show: func(c *Config, _ string) string { return show(c) }}
}

// aFile is the how of a variable that names a file and is read by another
// variable's parse function. The path is shown.
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
