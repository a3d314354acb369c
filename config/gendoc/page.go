package main

import (
	_ "embed"
	"fmt"
	"strings"

	"matrixrtc-auth/config"
)

// intro is the beginning of docs/variables.md.
//
//go:embed intro.md
var intro string

// page returns docs/variables.md: the introduction, and a table for each group
// of variables.
func page() string {
	var b strings.Builder
	b.WriteString(intro)
	group := config.Group("")
	for _, v := range config.Variables() {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(&b, "\n## %s\n\n%s In the column “Default”, “–” means that there is no default. The column “Written as” gives the form of the values.\n\n| Variable | Default | Meaning | Written as |\n| --- | --- | --- | --- |\n", group, about[group])
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, preset(v), cell(v.Meaning), cell(string(v.Form)))
	}
	return b.String()
}

// about maps each group of variables to a sentence that says what the variables
// are for.
var about = map[config.Group]string{
	config.GroupSFU:         "These variables of matrixrtc-auth say where the LiveKit server is, for clients and for the service itself.",
	config.GroupKeys:        "The service (matrixrtc-auth) signs tokens with an API key and its secret. LiveKit must have the same key and secret. These variables hold the key and the secret, or name files that hold them. Set `LIVEKIT_KEY` and `LIVEKIT_SECRET`, or their `_FROM_FILE` forms, or `LIVEKIT_KEY_FILE`.",
	config.GroupAccess:      "These variables decide which homeservers' users may start a call, and what the users of other homeservers may do on your LiveKit. Users who may start calls have *full access*. A *server name* is the part of a user id after the colon.",
	config.GroupHomeservers: "These variables decide how the service (matrixrtc-auth) finds the homeservers that say who a user is, and how the service connects to these homeservers.",
	config.GroupService:     "These variables decide where the service (matrixrtc-auth) listens, which proxies it trusts, and what it logs.",
	config.GroupLeaves:      "A delegated leave is an event that a client hands over to the service (matrixrtc-auth), so that the client's user leaves the call even if the browser dies ([leave](leave.md)). These variables decide where the service keeps leaves, and how fast the service works on them.",
	config.GroupAppService:  "If a homeserver knows this service (matrixrtc-auth) as an application service, clients ask that homeserver for tokens. The homeserver passes their requests to this service ([appservice](appservice.md)). These variables switch this mode on. The homeserver and this service know each other by a registration file, which both programs read.",
	config.GroupMembership:  "These variables decide whether the service (matrixrtc-auth) removes people from LiveKit who are no longer in the Matrix room ([membership](membership.md)).",
}

// preset returns the default of a variable as the text of a table cell.
func preset(v config.Variable) string {
	if v.Default == "" {
		return "–"
	}
	return "`" + v.Default + "`"
}

// cell escapes the characters of text that would end the cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
