package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"matrixrtc-auth/internal/hostport"
)

// FormerServiceHost is the host of Element's own authorization service, which
// since May 2025 serves no other homeservers. Copied configurations still
// contain it. The service warns of it at the start. doctor reports a fault: in
// the check config.sfu_url, or in homeserver.foci if the well-known document
// contains it.
const FormerServiceHost = "livekit-jwt.call.matrix.org"

// apiURL parses the public and the internal URL of the SFU. It returns the URL
// at which this service calls the SFU's API.
func (j *judge) apiURL(public, internal value) *url.URL {
	u := j.publicURL(public)
	if internal.isSet() {
		u = j.sfuURL(internal, apiBase)
	}
	if u == nil {
		return nil
	}
	return apiForm(u)
}

func (j *judge) publicURL(v value) *url.URL {
	if !v.isSet() {
		j.missing(": set it to the address of the SFU that clients can reach, like wss://sfu.example.org", v)
		return nil
	}
	u := j.sfuURL(v, clientForm)
	if u != nil {
		j.forClients(v, u)
	}
	return u
}

// sfuURL parses an address of the SFU. form returns the right form of the
// address, which the warnings show.
func (j *judge) sfuURL(v value, form func(*url.URL) string) *url.URL {
	if strings.Contains(strings.ToLower(v.get()), FormerServiceHost) {
		j.warn(v, FormerService, "%s is Element's authorization service, not an SFU; write the address of your own LiveKit", FormerServiceHost)
	}
	u, err := parseURL(v.get(), "wss", "ws", "https", "http")
	if err != nil {
		j.fault(v, "%s %v; write the address of the SFU, like wss://sfu.example.org", shown(v.get()), err)
		return nil
	}
	j.sfuPath(v, u, form)
	return u
}

// apiForm returns u with the scheme http or https, and without a slash at the
// end of its path.
func apiForm(u *url.URL) *url.URL {
	api := *u
	switch u.Scheme {
	case "ws":
		api.Scheme = "http"
	case "wss":
		api.Scheme = "https"
	}
	return trimSlash(&api)
}

func wsScheme(scheme string) string {
	if scheme == "http" {
		return "ws"
	}
	return "wss"
}

func trimSlash(u *url.URL) *url.URL {
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u
}

// parseURL parses scheme://host[:port][/path]. A text that does not begin with
// one of schemes is an error. Errors do not show the text, because the callers
// show it.
func parseURL(text string, schemes ...string) (*url.URL, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, invisible):
		return nil, errors.New("contains a space or an invisible character")
	case !slices.Contains(schemes, strings.ToLower(scheme)) || rest == "":
		return nil, fmt.Errorf("does not start with %s://", strings.Join(schemes, ":// or "))
	case strings.Contains(text, "@"):
		return nil, errors.New("contains '@', but a user name or password is not allowed here")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("contains '?' or '#', but a query or fragment is not allowed here")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("is not a valid URL")
	}
	return u, hostport.Check(u)
}

// plainPort returns a port without zeros at its beginning.
func plainPort(text string) string {
	if plain := strings.TrimLeft(text, "0"); plain != "" {
		return plain
	}
	return "0"
}

func invisible(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }
