package causes

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/internal/pattern"
)

// intro is the beginning of docs/troubleshooting.md, written by hand.
//
//go:embed troubleshooting.md
var intro string

// seen shows what some faults look like to users and in the log, as tests of
// the whole stack have found.
//
//go:embed seen.md
var seen string

// broken shows what doctor reports about a whole deployment with one fault. The
// test in e2e/breakages writes the file.
//
//go:embed breakages.md
var broken string

// Troubleshooting returns the text of docs/troubleshooting.md. The page lists
// causes by the error codes of Element Call, shows what some faults look like,
// and describes all causes by group.
func Troubleshooting() string {
	var b strings.Builder
	b.WriteString(intro)
	writeCodes(&b)
	b.WriteString(seen + "\n" + broken + "\n")
	for _, g := range Groups {
		fmt.Fprintf(&b, "## %s\n\nEach section below describes a cause that [doctor](operations.md#doctor) can report for a check whose id begins with `%s.`.\n\n", g.Title, g.ID)
		for _, c := range table() {
			if engine.GroupOf(c.Checks[0]) == g.ID {
				document(&b, c)
			}
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// Groups are the groups of checks, in the order of the report.
var Groups = []engine.Group{
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
	b.WriteString("## What Element Call shows\n\nWhen a call fails, Element Call shows one of these error codes. " +
		"The right column lists the causes that lead to the code; each link leads to the cause's section on this page.\n\n| Code | Causes |\n| --- | --- |\n")
	for _, code := range []string{missingTransport, openIDError, sfuError, connectionLost} {
		var links []string
		for _, c := range table() {
			if c.Code == code {
				links = append(links, fmt.Sprintf("[%s](#%s)", c.ID, c.ID))
			}
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", code, strings.Join(links, ", "))
	}
	b.WriteString("\nOlder versions of Element Call show `MISSING_MATRIX_RTC_FOCUS` instead of `MISSING_MATRIX_RTC_TRANSPORT`.\n\n")
}

// document writes the section of docs/troubleshooting.md about the cause c.
func document(b *strings.Builder, c engine.Cause) {
	v := examplesOf[c.ID].Or(examplesOf[engine.GroupOf(c.Checks[0])])
	text, remedy := Fill(c.Text, v), Fill(c.Remedy, v)
	says := linked(named(marked(Sentence(text))+"\n\n- **Remedy:** "+marked(Sentence(remedy))), c.ID)
	fmt.Fprintf(b, "### %s\n\n%s\n", c.ID, says)
	if then := after(Sentence(remedy)); then != "" {
		fmt.Fprintf(b, "- **With Docker Compose:** after %s.\n", then)
	}
	fmt.Fprintf(b, "- **Reported:** by [doctor](operations.md#doctor) %s\n- **Shown as:** %s of %s\n", vantages[c.From], grades[c.Status], quoted(c.Checks))
	if c.Code != "" {
		fmt.Fprintf(b, "- **Element Call shows:** the error code `%s`\n", c.Code)
	}
	b.WriteString("\n")
}

var (
	grades   = map[engine.Status]string{engine.Fail: "a fault (✗)", engine.Warn: "a warning (!)", engine.OK: "a remark (✓)"}
	vantages = map[string]string{
		"inside": "in the container of matrixrtc-auth", "outside": "on another machine with `--outside`",
		"both": "in the container of matrixrtc-auth, or on another machine with `--outside`",
	}
)

// quoted returns a text that names the checks with these ids.
func quoted(ids []string) string {
	list := slices.Clone(ids)
	for i, id := range list {
		list[i] = "`" + id + "`"
	}
	if len(list) == 1 {
		return "the check " + list[0]
	}
	return "one of the checks " + strings.Join(list, ", ")
}

// Sentence returns text as a sentence, with a capital letter and a full stop.
// Reports show the same text after a colon.
func Sentence(text string) string {
	if first, _, _ := strings.Cut(text, " "); !strings.ContainsAny(first, "_./:") {
		letter, size := utf8.DecodeRuneInString(text) // the first letter can have two bytes, like ü
		text = string(unicode.ToUpper(letter)) + text[size:]
	}
	if strings.HasSuffix(text, ".)") {
		return text
	}
	return strings.TrimSuffix(text, ".") + "."
}

// named adds "(matrixrtc-auth)" where text first mentions this service, because
// a reader may read only one section of the page.
func named(text string) string {
	if at := mention().FindStringSubmatchIndex(text); at != nil {
		return text[:at[3]] + " (matrixrtc-auth)" + text[at[3]:]
	}
	return text
}

// mention matches the name of this service, but not "this service's".
var mention = pattern.New(`(?i)\b(th(?:is|e) service)(?:[ ,.:;)\n]|$)`)

// setting matches a part of a text that docs/troubleshooting.md shows as code: a
// variable with its value, a setting, an option, a command, or YAML or JSON in
// brackets that are nested at most four deep.
var setting = pattern.New(`LIVEKIT_[A-Z_]+(=\S*[^\s.,:;)])?|"?\b[a-z_][a-z0-9_.]*"?: [\[{]([^\[\]{}]|[\[{]([^\[\]{}]|[\[{]([^\[\]{}]|[\[{]([^\[\]{}]|)*[\]}])*[\]}])*[\]}])*[\]}]|\{"[^{}]*\}|\b(rtc|turn|room|redis|webhook|limit|node_selector|matrix_rtc)\.[a-z][a-z_]+(: (true|false|\d+)\b)?|\bmax_event_delay_duration: 24h|\bm\.homeserver(\.base_url)?\b|\borg\.matrix\.msc4143\.rtc_foci\b|\bmatrixrtc-auth (doctor|registration)( --[a-z-]+( [^\s(-][^\s(]*)?)+|\bopenssl rand -hex 32|\bcurl -i https://[^\s,;]+|\biptables [^(]*[^( ]|\btimedatectl set-ntp true|\bredis-cli [^.]*|\bchmod 644 livekit\.yaml|\blivekit_service_url\b|\b(livekit|homeserver|compose)\.yaml\b|\.well-known/matrix/(client|server)\b|--[a-z][a-z-]+|docker compose [^;().]*[^;(). ]`)

// literal matches parts of a text that docs/troubleshooting.md shows as code:
// addresses, paths, headers, and the settings and commands of other programs. The
// pattern setting matches further parts.
var literal = pattern.New(`\b(wss?|https?)://([^\s,;()]*[^\s,;().:?])?|(\bPOST |\B)\.?/{1,2}[a-z_.][^\s,;()]*[^\s,;().:?]|\B\.env\b|\b\d+\.\d+\.\d+\.\d+:\d+:\d+|\bAccess-Control-Allow-Origin(: \*)?|\bX-(Forwarded-For|Real-IP)\b|\bAuthorization\b|\b(application/json|audio/opus)|\b(sfu\.api|homeserver\.discovery)\b|\badd_header [^;]* always;?|\bHeader always set \S+ "\*"|\b(default_type|ForceType) application/json|\bproxy_pass http[^;]*;|\bproxy_http_version 1\.1;|\bproxy_set_header [A-Z][A-Za-z-]+( \$[a-z_]+;)?|\bheader_up -?[A-Z][A-Za-z-]+( \{remote_host\})?|\blocation /\S+ \{[^}]*\}|\bhandle(_path)? /\S*\*|\bssl_protocols TLSv1\.2 TLSv1\.3|\bssl-min-ver TLSv1\.2|\bsend-proxy\b|\bproxy_protocol on\b|\btransport proxy_protocol\b|\bverify required\b|\brequest_body max_size\b|\bstick-table\b|\bStripPrefix\b|\$[a-z_]+(\$[a-z_]+)*|\b[a-z0-9]+(_[a-z0-9]+)+((: | = )(true|false|\d+)\b)?|\bport: \d+|\{mime: [a-z/]+\}|--[a-z][a-z-]+ @?[a-z][a-z.:@]*\.[a-z]+|\bfullchain\.pem\b|\bnet\.ipv4\.[a-z_]+(=[0-9-]+)?|\bsysctl -p\b|\bch(grp|mod) \d+|\bdocker inspect\b|\bLogConfig\b|\b(MISCONF|OOM|READONLY|NOAUTH|WRONGPASS|maxmemory|SERVFAIL)\b`)

// inContext matches words that are code only between certain other words. The
// other words are part of the match, but only the groups in the match are code.
var inContext = pattern.New(`\bAPI key (matrixrtc|old-key)\b|\b(old-livekit)\b|\bto (matrixrtc), the key\b|'(key: secret)'|"(level|logging)"|\breason: (signature)\)|\b(?:contains|be|of) (\*)|\badd (openid) to\b|\bsetting (url)\b|\b[Rr]emove (url) from\b|\b[Ss]et (url) in\b|\((redis|networks:) in\b|\b(?:under|[Rr]emove) ([a-z_]+:)|\binstead of (handle) \(|\b(Upgrade) and (Connection)\b|\bfor (deny) and (allow) \(|\(without (always),|\bcommand (setup)\b`)

// codeIn returns the beginning and the end of each part of text that
// docs/troubleshooting.md shows as code, in order.
func codeIn(text string) (parts [][2]int) {
	for _, p := range []func() *regexp.Regexp{setting, literal} {
		for _, at := range p().FindAllStringIndex(text, -1) {
			parts = append(parts, [2]int{at[0], at[1]})
		}
	}
	for _, at := range inContext().FindAllStringSubmatchIndex(text, -1) {
		for i := 2; i < len(at); i += 2 {
			if at[i] >= 0 {
				parts = append(parts, [2]int{at[i], at[i+1]})
			}
		}
	}
	slices.SortFunc(parts, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], b[1]-a[1]) })
	end := 0
	return slices.DeleteFunc(parts, func(p [2]int) bool {
		inside := p[0] < end // this part begins inside the part before it
		end = max(end, p[1])
		return inside
	})
}

// marked returns text as Markdown, in which settings and commands are code.
func marked(text string) string {
	var b strings.Builder
	end := 0
	for _, at := range codeIn(text) {
		b.WriteString(escape(text[end:at[0]]))
		if from := text[at[0]:at[1]]; continued(text[at[1]:]) {
			b.WriteString(escape(from)) // the match is only the beginning of a longer host name
		} else {
			b.WriteString("`" + from + "`")
		}
		end = at[1]
	}
	return b.String() + escape(text[end:])
}

// continued reports whether rest, the text after a match, continues the name of
// a host. An example is ".org" after turn.example.
func continued(rest string) bool {
	return len(rest) > 1 && rest[0] == '.' && unicode.IsLower(rune(rest[1]))
}

// escape prevents Markdown from reading characters of text as markup.
func escape(text string) string {
	return strings.NewReplacer("*", `\*`, "<", "&lt;").Replace(text)
}
