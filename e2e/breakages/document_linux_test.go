package breakages

import (
	"fmt"
	"strings"
)

const heading = `## What doctor says when something is broken

` + "`make breakages`" + ` breaks a complete deployment (Synapse, LiveKit, the service, and nginx, HAProxy or Caddy) in each of these ways. The columns show the causes that doctor reports. Inside, doctor has the service's environment; outside, it knows only the server name. – means that doctor sees no fault there.

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
