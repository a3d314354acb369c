package doctor

import (
	"fmt"
	"net/url"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/internal/secret"
)

const (
	redacted = "[redacted]"
	// shortestSecret is the least length, in bytes, of secrets that redact
	// searches for. A shorter one may occur in ordinary words.
	shortestSecret = 8
	// longestKeyName is the greatest length, in bytes, of an unknown API key
	// that is shown. A longer text may be a secret.
	longestKeyName = 20
)

var (
	// jwtText matches what looks like a JSON Web Token, or like its beginning.
	jwtText = pattern.New(`eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){0,2}`)
	// userInfo matches the user name and password in a URL. A password may
	// contain a slash or an @ that is not encoded.
	userInfo = pattern.New(`(://)[^\s"]*@`)
)

// redact removes secrets from text: those that this run has read, all JSON Web
// Tokens, and the user names and passwords in URLs.
func (e *exam) redact(text string) string {
	for _, s := range e.secrets() {
		if len(s.Reveal()) >= shortestSecret {
			text = strings.ReplaceAll(text, s.Reveal(), redacted)
		}
	}
	text = jwtText().ReplaceAllString(text, redacted)
	return userInfo().ReplaceAllString(text, "${1}"+redacted+"@")
}

// secrets returns the secrets that this run has read.
func (e *exam) secrets() []secret.Text {
	list := []secret.Text{e.o.Token}
	for _, key := range e.look.Config.Keys {
		list = append(list, key.Secret)
	}
	if as := e.look.Config.AppService; as != nil {
		list = append(list, as.ASToken, as.HSToken)
	}
	if account := e.look.Config.Account; account != nil {
		list = append(list, account.Token)
	}
	for text := range e.livekit.everySecret() {
		list = append(list, secret.New(text))
	}
	return list
}

// redactAll removes secrets from all texts of the report.
func (e *exam) redactAll(r *engine.Report) {
	for i := range r.Checks {
		c := &r.Checks[i]
		c.Seen, c.Cause, c.Remedy = e.redact(c.Seen), e.redact(c.Cause), e.redact(c.Remedy)
	}
}

// keyName returns the name of an API key, or a placeholder if the name is long
// and unknown. Such a name may be a secret that stands in the wrong place.
func (e *exam) keyName(name string) string {
	for _, key := range e.look.Config.Keys {
		if name == key.ID {
			return clip(name)
		}
	}
	for text := range e.livekit.everySecret() {
		if name == text {
			return "a secret"
		}
	}
	if len(name) > longestKeyName {
		return fmt.Sprintf("a text of %d characters", len(name))
	}
	return clip(name)
}

// bareURL returns a URL without user name, password and query.
func bareURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "no address"
	}
	return clip((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}
