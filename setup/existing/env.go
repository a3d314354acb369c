package existing

import (
	"regexp"
	"slices"
	"strings"

	"matrixrtc-auth/internal/secret"
)

// envLine is a line NAME=value.
var envLine = regexp.MustCompile(`^\x{feff}?\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*?)\s*$`)

// variables are those of an env file, in its order; of a name that is there twice
// the last.
func variables(f File) (list []Variable) {
	for i, line := range strings.Split(string(f.Content), "\n") {
		match := envLine.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		v := Variable{match[1], secret.New(plain(match[2])), Place{f.Name, i + 1}}
		list = append(slices.DeleteFunc(list, func(old Variable) bool { return old.Name == v.Name }), v)
	}
	return list
}

// plain takes quotation marks, or the comment behind it, off a value.
func plain(value string) string {
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		inner, _, _ := strings.Cut(value[1:], value[:1])
		return inner
	}
	value, _, _ = strings.Cut(value, " #")
	return strings.TrimSpace(value)
}

// substitution is $$, $NAME, or ${NAME…}.
var substitution = regexp.MustCompile(`\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])((?:\$\{[^}]*\}|[^}])*))?\})`)

// interpolate puts variables into a text as Compose does. One without a value and
// without a default is empty.
func interpolate(text string, value func(name string) string) string {
	return substitution.ReplaceAllStringFunc(text, func(match string) string {
		part := substitution.FindStringSubmatch(match)
		if match == "$$" {
			return "$"
		}
		found := value(part[1] + part[2])
		switch operator := part[3]; {
		case strings.HasSuffix(operator, "-") && found == "":
			return interpolate(part[4], value)
		case strings.HasSuffix(operator, "+") && found != "":
			return interpolate(part[4], value)
		case strings.HasSuffix(operator, "+"):
			return ""
		}
		return found
	})
}
