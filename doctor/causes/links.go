package causes

import (
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// explained maps a term that the texts of causes use to the section or page
// that explains it.
var explained = map[string]string{
	"OpenID token": "architecture.md#words", "delayed event": "leave.md", "delegated leave": "leave.md",
	"ticket": "security.md#tickets", "brake": "membership.md#the-brake", "registration file": "appservice.md",
	"NAT loopback": "#hairpin", "webhook": "architecture.md#words", "TURN": "setup.md#turn", "docs/operations.md": "operations.md#causes",
	"docs/homeserver.md": "homeserver.md#the-well-known-file",
}

// term matches each term in the map explained, also in the plural.
var term = pattern.New(`\b(OpenID token|delayed event|delegated leave|ticket|brake|registration file|NAT loopback|webhook|TURN|docs/(?:operations|homeserver)\.md)(s?)\b`)

// linked returns Markdown in which the first use of each term is a link to its
// explanation. It makes no link in code, and none to the section with this id,
// because the text is from this section.
func linked(text, id string) string {
	var b strings.Builder
	end, done := 0, map[string]bool{}
	for _, at := range term().FindAllStringSubmatchIndex(text, -1) {
		name := text[at[2]:at[3]]
		place := explained[name]
		if done[name] || place == "#"+id || strings.Count(text[:at[0]], "`")%2 == 1 {
			continue
		}
		done[name] = true
		b.WriteString(text[end:at[0]] + "[" + text[at[0]:at[1]] + "](" + place + ")")
		end = at[1]
	}
	return b.String() + text[end:]
}
