package doctor

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"matrixrtc-auth/doctor/engine"
)

// intro is the beginning of docs/troubleshooting.md, written by hand.
//
//go:embed troubleshooting.md
var intro string

// seen shows what some faults look like, from the tests of the whole stack.
//
//go:embed seen.md
var seen string

// broken is what doctor says of a whole deployment with one fault. The test of
// e2e/breakages writes it.
//
//go:embed breakages.md
var broken string

// Troubleshooting returns docs/troubleshooting.md: the causes by what Element
// Call shows, what some look like, and all causes by group.
func Troubleshooting() string {
	var b strings.Builder
	b.WriteString(intro)
	writeCodes(&b)
	b.WriteString(seen + "\n" + broken + "\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "## %s\n\n", g.Title)
		for _, c := range table() {
			if engine.GroupOf(c.Checks[0]) == g.ID {
				document(&b, c)
			}
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// groups are the groups of checks, in order.
var groups = []engine.Group{
	{ID: "config", Title: "Configuration"},
	{ID: "livekit", Title: "livekit.yaml"},
	{ID: "homeserver", Title: "Homeserver"},
	{ID: "public", Title: "This service, as clients reach it"},
	{ID: "service", Title: "The running service"},
	{ID: "sfu", Title: "LiveKit"},
	{ID: "webhook", Title: "Webhooks"},
	{ID: "user", Title: "A user's way into a call"},
}

func writeCodes(b *strings.Builder) {
	b.WriteString("## What Element Call shows\n\n| Code | Causes |\n| --- | --- |\n")
	for _, code := range []string{missingTransport, openIDError, sfuError, connectionLost} {
		var links []string
		for _, c := range table() {
			if c.Code == code {
				links = append(links, fmt.Sprintf("[%s](#%s)", c.ID, c.ID))
			}
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", code, strings.Join(links, ", "))
	}
	b.WriteString("\nOlder versions say `MISSING_MATRIX_RTC_FOCUS` for the first.\n\n")
}

// document writes the section of one cause.
func document(b *strings.Builder, c engine.Cause) {
	v := examplesOf[engine.GroupOf(c.Checks[0])]
	text, remedy := fill(c.Text, v), fill(c.Remedy, v)
	fmt.Fprintf(b, "### %s\n\n%s\n\n- **Remedy:** %s\n", c.ID, escape(sentence(text)), escape(sentence(remedy)))
	fmt.Fprintf(b, "- **Found by:** %s, from %s %s\n", engine.Marks[c.Status], vantages[c.From], quoted(c.Checks))
	if c.Code != "" {
		fmt.Fprintf(b, "- **Element Call shows:** `%s`\n", c.Code)
	}
	b.WriteString("\n")
}

var vantages = map[string]string{"inside": "inside:", "outside": "outside:", "both": "inside and outside:"}

func quoted(ids []string) string {
	list := slices.Clone(ids)
	for i, id := range list {
		list[i] = "`" + id + "`"
	}
	return strings.Join(list, ", ")
}

// sentence returns a text, which elsewhere follows a colon, as a sentence.
func sentence(text string) string {
	if first, _, _ := strings.Cut(text, " "); !strings.ContainsAny(first, "_./:") {
		letter, size := utf8.DecodeRuneInString(text) // German has first letters of two bytes
		text = string(unicode.ToUpper(letter)) + text[size:]
	}
	return strings.TrimSuffix(text, ".") + "."
}

// escape prevents Markdown from reading settings as markup.
func escape(text string) string {
	return strings.NewReplacer("*", `\*`, "<", "&lt;").Replace(text)
}
