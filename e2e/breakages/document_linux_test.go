package breakages

import (
	"fmt"
	"strings"
)

const heading = `## What doctor says when something is broken

The tables below show faults, and the causes that [doctor](operations.md#doctor) reports for each fault. The test ` + "`make breakages`" + ` breaks a complete deployment in each of these ways, and then runs doctor. The deployment consists of Synapse, LiveKit, this service, and nginx, HAProxy or Caddy in front of them. In the tables, the server name is example.org. ` + "`matrix.`, `jwt.`, `sfu.` and `turn.`" + ` are hosts below example.org: those of the homeserver, this service (matrixrtc-auth), LiveKit and TURN.

- **Broken:** what the test changes.
- **Inside:** what doctor reports in the service's container, where it has the service's configuration.
- **Outside:** what doctor reports with ` + "`--outside`" + ` on another machine, where it knows only the server name.

A dash (–) means that doctor finds no fault there. If doctor cannot find LiveKit from outside, doctor reports [sfu-unknown](#sfu-unknown).
`

const columns = ` Each row is one run of the test ` + "`make breakages`" + `. The column “Broken” says what the test breaks. The column “Inside” lists the causes that [doctor](operations.md#doctor) reports in the service's container. The column “Outside” lists the causes that doctor reports on another machine with ` + "`--outside`" + `. A dash means that doctor finds no fault there. ` + "`matrix.`, `jwt.`, `sfu.` and `turn.`" + ` are the hosts of the homeserver, this service (matrixrtc-auth), LiveKit and TURN below example.org.

| Broken | Inside | Outside |
| --- | --- | --- |
`

// subjects are the sections of the document. A breakage belongs to the first section
// that lists, in beginnings, how the description of the breakage begins.
var subjects = []struct {
	title, says string
	beginnings  []string
}{
	{"Deployments without a fault", "In these deployments everything is right, so doctor must find no fault.", []string{"nothing"}},
	{"Faults of DNS, certificates and the network", "In these deployments a host cannot be found or reached, or its certificate is not valid.", []string{"DNS", "certificate", "the router", "packets", "the reverse proxy"}},
	{"Faults in the well-known documents", "In these deployments the documents below `https://example.org/.well-known/matrix/` are missing or wrong.", []string{"well-known"}},
	{"Faults of the homeserver", "In these deployments the homeserver does not run, has a wrong setting, or a proxy in front of it changes its answers.", []string{"Synapse", "a homeserver"}},
	{"Faults of the reverse proxy", "In these deployments the reverse proxy in front of this service (`jwt.`) or of LiveKit (`sfu.`) has a wrong setting.", []string{"nginx", "HAProxy", "Caddy"}},
	{"Faults of LiveKit", "In these deployments LiveKit does not run, or `livekit.yaml` has a wrong setting.", []string{"LiveKit", "livekit.yaml", "TURN"}},
	{"Faults that only a user's access token shows", "In these runs doctor has the access token of a user and the id of a room.", []string{"--user"}},
	{"Faults of this service", "In these deployments this service (matrixrtc-auth) does not run, or one of its variables has a wrong value.", []string{""}},
}

// describe returns the part of docs/troubleshooting.md that this test writes.
func describe(rows map[string]said) (string, error) {
	lines := make([]strings.Builder, len(subjects))
	for _, x := range table() {
		s, ok := rows[x.what]
		if !ok {
			return "", fmt.Errorf("the breakage %q was not tested, so the page would be incomplete: run all breakages", x.what)
		}
		fmt.Fprintf(&lines[subjectOf(x.what)], "| %s | %s | %s |\n", x.what, links(s.Inside), links(s.Outside))
	}
	var b strings.Builder
	b.WriteString(heading)
	for i, s := range subjects {
		fmt.Fprintf(&b, "\n### %s\n\n%s%s%s", s.title, s.says, columns, lines[i].String())
	}
	return b.String(), nil
}

// subjectOf returns the index of the section to which a breakage with this description
// belongs.
func subjectOf(what string) int {
	for i, s := range subjects {
		for _, beginning := range s.beginnings {
			if strings.HasPrefix(what, beginning) {
				return i
			}
		}
	}
	panic("the last section takes everything")
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
