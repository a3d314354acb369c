package redisurl

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"matrixrtc-auth/internal/hostport"
)

// split parses text as a URL, and refuses obvious mistakes, such as a URL
// without a host.
func split(text string) (*url.URL, error) {
	scheme, _, _ := strings.Cut(text, "://")
	u, err := url.Parse(text)
	switch {
	case slices.Contains(foreignSchemes, strings.ToLower(scheme)):
		return nil, errForeign
	case err != nil, u.Opaque != "", u.Fragment != "", strings.ContainsFunc(text, invisible), strings.Contains(u.Path+u.RawQuery, "@"):
		return nil, errText
	}
	// u.Query would leave out a parameter that cannot be parsed, even
	// master_name, so such a parameter is an error here.
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, errQuery
	}
	switch u.Scheme {
	case "redis", "rediss":
		if strings.Contains(u.Host, ",") {
			return nil, errList
		}
		if err := hostport.Check(u); err != nil {
			return nil, fault(err.Error(), writeServer)
		}
		if strings.Contains(u.Hostname(), ":") && u.Port() == "" {
			return nil, errIPv6
		}
	case "unix":
		if u.Host != "" || len(u.Path) < 2 {
			return nil, errSocket
		}
	default:
		return nil, errScheme
	}
	return u, nil
}

// foreignSchemes are schemes by which other libraries name Sentinels and
// clusters.
var foreignSchemes = []string{"redis-sentinel", "rediss-sentinel", "redis+sentinel", "rediss+sentinel", "sentinel", "redis-cluster", "rediss-cluster", "redis+cluster"}

func invisible(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }

// isDatabase returns an error unless the path of u is empty or the number of a
// database. It accepts every path of a unix URL, which is the path of a socket.
func isDatabase(u *url.URL) error {
	path := strings.TrimPrefix(u.Path, "/")
	if _, err := strconv.ParseUint(path, 10, 16); u.Scheme != "unix" && path != "" && err != nil {
		return errDatabase
	}
	return nil
}

// isSwitch reports whether go-redis can read each of the given values as true or
// false. The check is needed for the option skip_verify, because go-redis reports no
// error if this option has any other value.
func isSwitch(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains([]string{"", "0", "1", "false", "true"}, v) })
}

func allAddresses(addrs []string) bool {
	return !slices.ContainsFunc(addrs, func(addr string) bool { return !hostport.IsAddress(addr) })
}

// isMasterName reports whether Sentinel allows a text as master_name, the name of a
// group of servers.
func isMasterName(name string) bool {
	return name != "" && len(name) <= 100 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	})
}
