package config

import (
	"net/url"
	"strconv"
	"strings"

	"matrixrtc-auth/internal/secret"
)

// redisURL judges the address of the shared store. Nothing of it is repeated:
// a password that is not percent-encoded can be in any part.
func (j *judge) redisURL(v, password Value) secret.Text {
	if !v.isSet() {
		return secret.Text{}
	}
	u, ok := parseRedisURL(v.get())
	if !ok {
		j.fault(v, "not the URL of a Redis server (not shown: it may hold a password); write redis://host:6379/0, rediss:// for TLS or "+
			"unix:///path, and percent-encode what is special in the password or put that into LIVEKIT_REDIS_PASSWORD")
		return secret.Text{}
	}
	if _, has := u.User.Password(); has && password.isSet() {
		j.warn(v, "its password is ignored, because LIVEKIT_REDIS_PASSWORD is set and wins")
	}
	return v.text
}

func parseRedisURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" || strings.ContainsFunc(text, invisible) || strings.Contains(u.Path+u.RawQuery, "@") {
		return nil, false
	}
	switch u.Scheme {
	case "redis", "rediss":
		return u, checkHost(u) == nil && isDatabase(strings.TrimPrefix(u.Path, "/"))
	case "unix":
		return u, u.Host == "" && len(u.Path) > 1
	}
	return nil, false
}

// isDatabase accepts the number of a database, or none.
func isDatabase(path string) bool {
	_, err := strconv.ParseUint(path, 10, 16)
	return path == "" || err == nil
}

// redactURL returns the URL without user name, password and query.
func redactURL(text secret.Text) string {
	u, ok := parseRedisURL(text.Reveal())
	if !ok {
		return text.String()
	}
	redacted := u.Scheme + "://" + u.Host + u.Path
	if u.User != nil {
		redacted = u.Scheme + "://[redacted]@" + u.Host + u.Path
	}
	if u.RawQuery != "" {
		redacted += "?[redacted]"
	}
	return redacted
}

// unused warns of variables that await delegated leaves.
func (j *judge) unused(values ...Value) {
	for _, v := range values {
		if v.isSet() {
			j.warn(v, "nothing uses it yet: this version does not delegate leaves")
		}
	}
}
