package appservice

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"matrixrtc-auth/matrix"
)

// Severity says how bad a finding is.
type Severity int

// The severities.
const (
	// Wrong means that Synapse does not start, or that the application-service
	// mode does not work.
	Wrong Severity = iota
	// Doubtful means that the mode works, but perhaps not as well as it could.
	Doubtful
)

// Finding says what is wrong or doubtful about one key of a registration file,
// or about the mode of the file.
type Finding struct {
	Severity Severity
	Key      string // the file's key, like "io.element.msc4502.scopes"
	Seen     string // what is wrong with the key; it never shows a token
	Remedy   string // what the operator must write instead
}

func (f Finding) String() string { return f.Key + ": " + f.Seen + "; " + f.Remedy }

// shortestToken is the least number of characters of a token. Somebody could
// guess a shorter token.
const shortestToken = 32

// Lint returns what is wrong with the registration for the homeserver named
// server, in the order of the file's keys. If server is zero, Lint does not
// check whether the namespaces match the server's users.
func (r Registration) Lint(server matrix.ServerName) []Finding {
	l := &linter{}
	l.identity(r)
	l.tokens(r)
	l.pushes(r)
	l.namespaces(r, server)
	l.scopes(r)
	l.proxy(r)
	l.misspelt(r)
	return l.findings
}

type linter struct{ findings []Finding }

func (l *linter) wrong(key, seen, remedy string) {
	l.findings = append(l.findings, Finding{Wrong, key, seen, remedy})
}

func (l *linter) doubtful(key, seen, remedy string) {
	l.findings = append(l.findings, Finding{Doubtful, key, seen, remedy})
}

func (l *linter) identity(r Registration) {
	if r.ID == "" {
		l.wrong("id", "missing", "the homeserver does not start without it: any word, like matrixrtc-auth")
	}
	switch {
	case r.SenderLocalpart == "":
		l.wrong("sender_localpart", "missing", "the homeserver does not start without it: the name of a user that nobody else has, like matrixrtc-auth")
	case strings.ContainsAny(r.SenderLocalpart, "@: "):
		l.wrong("sender_localpart", "it is not the part of a user id between @ and :", "write that part alone, like matrixrtc-auth")
	}
}

func (l *linter) tokens(r Registration) {
	for _, token := range []struct {
		key  string
		text string
	}{{"as_token", r.ASToken.Reveal()}, {"hs_token", r.HSToken.Reveal()}} {
		switch {
		case token.text == "":
			l.wrong(token.key, "missing", "`matrixrtc-auth registration` makes one")
		case token.text != strings.TrimSpace(token.text):
			l.wrong(token.key, "white space stands at its beginning or end, and counts", "remove it, here and where else the token stands")
		case len(token.text) < shortestToken:
			l.doubtful(token.key, fmt.Sprintf("it has %d characters", len(token.text)),
				fmt.Sprintf("use at least %d random characters: `matrixrtc-auth registration --new-tokens` makes such tokens", shortestToken))
		}
	}
	if !r.ASToken.IsEmpty() && r.ASToken.Equal(r.HSToken) {
		l.wrong("hs_token", "it equals as_token: whoever learns it can act as the service and as the homeserver", "`matrixrtc-auth registration --new-tokens` makes two different ones")
	}
}

func (l *linter) pushes(r Registration) {
	switch {
	case !r.HasURL:
		l.wrong("url", "missing", "Synapse does not start without the key: write `url: null`")
	case r.URL == "":
	case !isHTTP(r.URL):
		l.wrong("url", "it is not an http or https URL", "write `url: null`, or this service's address to have membership pushed")
	case r.URL != r.ProxyURL:
		l.doubtful("url", "the homeserver pushes events to another address than the one to which it passes requests on",
			"write the address of io.element.msc4512.proxy_url, or `url: null`")
	}
	if r.RateLimited == nil || *r.RateLimited {
		l.doubtful("rate_limited", "the homeserver limits how often this service restarts delayed leaves", "write `rate_limited: false`")
	}
}

// sampleUsers are localparts of users. If a namespace is meant for all users of
// a server, it must match each of these localparts.
var sampleUsers = []string{"alice", "bob.smith", "x", "telegram_123", "a-b_c=d/e+f", "0"}

func (l *linter) namespaces(r Registration, server matrix.ServerName) {
	const key = "namespaces.users"
	remedy := fmt.Sprintf("write one entry: {exclusive: false, regex: '%s'}", userRegex(server))
	if len(r.Users) == 0 {
		l.wrong(key, "empty: the homeserver lets this service act for nobody", remedy)
		return
	}
	matched := 0
	for _, n := range r.Users {
		if n.Exclusive {
			l.wrong(key, "exclusive: true keeps everybody from registering a user that it matches", "write exclusive: false")
		}
		matched = max(matched, countMatches(n.Regex, server))
	}
	switch {
	case server.IsZero(): // without a server name, there is nothing to compare
	case matched == 0:
		l.wrong(key, "it matches no user of "+server.String(), remedy)
	case matched < len(sampleUsers):
		l.doubtful(key, "it matches not every user of "+server.String()+": leaves of the others are managed without the as_token", remedy)
	}
}

// countMatches returns how many of the sampleUsers of server the expression
// matches. Like Synapse, it matches from the beginning of the user id. If Go
// cannot parse the expression, countMatches counts all users as matched,
// because Python may be able to parse it.
func countMatches(expression string, server matrix.ServerName) (n int) {
	re, err := regexp.Compile("^(?:" + expression + ")")
	if err != nil {
		return len(sampleUsers)
	}
	for _, user := range sampleUsers {
		if re.MatchString("@" + user + ":" + server.String()) {
			n++
		}
	}
	return n
}

func (l *linter) scopes(r Registration) {
	const key = "io.element.msc4502.scopes"
	if !slices.Contains(r.Scopes, scopeIsJoined) {
		l.wrong(key, "the scope of the membership question is missing", "write ["+scopeIsJoined+"]")
	}
	if slices.ContainsFunc(r.Scopes, func(s string) bool { return s != scopeIsJoined }) {
		l.wrong(key, "it holds a scope that Synapse does not know, and with that it does not start", "write ["+scopeIsJoined+"] alone")
	}
}

func (l *linter) proxy(r Registration) {
	const prefix, target = "io.element.msc4512.proxy_prefix", "io.element.msc4512.proxy_url"
	switch {
	case r.ProxyPrefix == "":
		l.wrong(prefix, "missing: the homeserver passes no request on", "write "+proxyPrefix)
	case r.ProxyPrefix != proxyPrefix && !strings.HasPrefix(r.ProxyPrefix, proxyPrefix+"/"):
		l.wrong(prefix, "Synapse does not start with it", "write "+proxyPrefix)
	case r.ProxyPrefix != proxyPrefix:
		l.wrong(prefix, "clients ask at "+proxyPrefix+", which it does not cover", "write "+proxyPrefix)
	}
	switch {
	case r.ProxyURL == "" && r.ProxyPrefix != "":
		l.wrong(target, "missing: Synapse does not start with a prefix alone", "write this service's address as the homeserver reaches it, like http://matrixrtc-auth:8080")
	case r.ProxyURL == "":
		l.wrong(target, "missing", "write this service's address as the homeserver reaches it, like http://matrixrtc-auth:8080")
	case !isHTTP(r.ProxyURL):
		l.wrong(target, "it is not an http or https URL", "write this service's address as the homeserver reaches it, like http://matrixrtc-auth:8080")
	case strings.Contains(r.ProxyURL, "/_matrix"):
		l.wrong(target, "it holds a path of Matrix, which the homeserver adds by itself", "write the address alone")
	}
}

func isHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// misspelt reports keys with a missing or a wrong prefix, like "scopes" in
// place of "io.element.msc4502.scopes". The homeserver ignores such keys
// without a warning.
func (l *linter) misspelt(r Registration) {
	slices.Sort(r.others)
	for _, key := range r.others {
		for end, right := range map[string]string{
			"scopes":       "io.element.msc4502.scopes",
			"proxy_prefix": "io.element.msc4512.proxy_prefix",
			"proxy_url":    "io.element.msc4512.proxy_url",
		} {
			if last := key[strings.LastIndexByte(key, '.')+1:]; last == end {
				l.wrong(key, "the homeserver ignores this key", "write "+right)
			}
		}
	}
}
