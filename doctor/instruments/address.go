package instruments

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// notRouted are networks that the internet does not reach, besides those that
// package netip calls private.
var notRouted = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10")}

// IsPublic reports whether an address may be reachable from the internet.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsGlobalUnicast() && !addr.IsPrivate() &&
		!slices.ContainsFunc(notRouted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// PortOf returns port, or the scheme's usual port if port is "".
func PortOf(port, scheme string) string {
	byScheme := map[string]string{"https": "443", "wss": "443", "http": "80", "ws": "80"}
	return cmp.Or(port, byScheme[scheme])
}

// SameAddress reports whether two URLs are equal apart from their spelling:
// capital letters, a usual port, or a slash at the end.
func SameAddress(a, b string) bool { return plainAddress(a) == plainAddress(b) }

// plainAddress returns a URL in lower case, with its port even if that is the
// usual one, and without a slash at the end.
func plainAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return text
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), PortOf(u.Port(), u.Scheme)) + strings.TrimRight(u.EscapedPath(), "/")
}
