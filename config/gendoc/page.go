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
			fmt.Fprintf(&b, "\n## %s\n\n%s \"–\" means that there is no default.\n\n| Variable | Default | Meaning | Written as |\n| --- | --- | --- | --- |\n", group, about[group])
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, preset(v), cell(v.Meaning), cell(string(v.Form)))
	}
	return b.String()
}

// about has, for each group of variables, a sentence that says what they are
// for.
var about = map[config.Group]string{
	config.GroupSFU:         "With these variables of matrixrtc-auth you say where the LiveKit server (the SFU) is, for clients and for the service itself.",
	config.GroupKeys:        "The service signs tokens with an API key of LiveKit and its secret. These variables hold them, or name files that do.",
	config.GroupAccess:      "These variables decide whose users may start a call, and who may only join one.",
	config.GroupHomeservers: "These variables decide how the service finds and asks the homeservers that say who a user is.",
	config.GroupService:     "These variables decide how the service listens, which proxies it trusts, and what it logs.",
	config.GroupLeaves:      "A delegated leave is an event that a client hands over, so that its user leaves the call even if the browser dies ([leave](leave.md)). These variables decide where leaves are kept and how fast the service works on them.",
	config.GroupAppService:  "As an application service the homeserver itself asks for tokens, and tells the service who leaves a room ([appservice](appservice.md)). These variables turn that on.",
	config.GroupMembership:  "These variables decide whether the service removes from the SFU who is no longer in the Matrix room ([membership](membership.md)).",
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
