package existing

import (
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/internal/secret"
)

// envLine matches a line NAME=value.
var envLine = pattern.New(`^\x{feff}?\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*?)\s*$`)

// mostVariables is the largest number of variables that setup reads from an env
// file.
const mostVariables = 1000

// variables returns the variables of an env file, in order. If a name occurs
// more than once, the last value counts.
func variables(f File) (list []Variable) {
	line := 0
	for text := range strings.Lines(string(f.Content)) {
		line++
		if match := envLine().FindStringSubmatch(text); match != nil && len(list) < mostVariables {
			list = append(list, Variable{match[1], secret.New(plain(match[2])), Place{f.Name, line}})
		}
	}
	return lastOf(list)
}

// lastOf keeps, of all variables with the same name, only the last one.
func lastOf(list []Variable) (kept []Variable) {
	later := map[string]bool{}
	for _, v := range slices.Backward(list) {
		if !later[v.Name] {
			kept = append(kept, v)
		}
		later[v.Name] = true
	}
	slices.Reverse(kept)
	return kept
}

// plain returns the value of a variable. If the text value begins with a quotation
// mark, plain returns what is between the marks. Otherwise it cuts off a comment
// after the value.
func plain(value string) string {
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		inner, _, _ := strings.Cut(value[1:], value[:1])
		return inner
	}
	value, _, _ = strings.Cut(value, " #")
	return strings.TrimSpace(value)
}

// substitution matches a reference to a variable in a compose file: $NAME or
// ${NAME…}. It also matches $$, which stands for one $.
var substitution = pattern.New(`\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])((?:\$\{[^}]*\}|[^}])*))?\})`)

// interpolate replaces the variables in text as Compose does. A variable with
// neither a value nor a default becomes empty. The argument left is how many bytes
// of values interpolate may still insert. A value that is longer becomes empty.
//
// The function value returns the value of a variable. Its argument needed is true
// if the text requires the variable to be set.
func interpolate(text string, left *int, value func(name string, needed bool) string) string {
	var put func(text string) string
	one := func(match string) string {
		part := substitution().FindStringSubmatch(match)
		if match == "$$" {
			return "$"
		}
		found := value(part[1]+part[2], part[3] == "" || strings.HasSuffix(part[3], "?"))
		switch operator := part[3]; {
		case strings.HasSuffix(operator, "-") && found == "":
			return put(part[4])
		case strings.HasSuffix(operator, "+") && found != "":
			return put(part[4])
		case strings.HasSuffix(operator, "+"):
			return ""
		}
		if *left -= len(found); *left < 0 {
			return ""
		}
		return found
	}
	put = func(text string) string { return substitution().ReplaceAllStringFunc(text, one) }
	return put(text)
}
