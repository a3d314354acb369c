package breakages

import (
	"fmt"
	"strings"
)

const heading = `## What doctor says when something is broken

Every row has been broken in a whole deployment (Synapse, LiveKit, the service, nginx, HAProxy or Caddy), and ` + "`make breakages`" + ` breaks it again: doctor says just this, from inside with the service's environment, and from outside with nothing but the server name. – is a fault that does not show there.

| Broken | Inside | Outside |
| --- | --- | --- |
`

// describe is the part of docs/troubleshooting.md that this test writes.
func describe(rows map[string]said) (string, error) {
	var b strings.Builder
	b.WriteString(heading)
	for _, x := range table() {
		s, ok := rows[x.what]
		if !ok {
			return "", fmt.Errorf("nobody has broken %q: run all of them", x.what)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", x.what, links(s.Inside), links(s.Outside))
	}
	return b.String(), nil
}

func links(causes []cause) string {
	if len(causes) == 0 {
		return "–"
	}
	var list []string
	for _, c := range causes {
		list = append(list, fmt.Sprintf("[%s](#%s)", c.ID, c.ID))
	}
	return strings.Join(list, ", ")
}
