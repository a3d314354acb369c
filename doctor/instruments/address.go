package instruments

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// notRouted are the networks besides the private ones that no router of the
// internet leads to.
var notRouted = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10")}

// IsPublic reports whether an address is one that the internet may reach.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsGlobalUnicast() && !addr.IsPrivate() &&
		!slices.ContainsFunc(notRouted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// PortOf returns the port of a URL's host, or its scheme's.
func PortOf(port, scheme string) string {
	byScheme := map[string]string{"https": "443", "wss": "443", "http": "80", "ws": "80"}
	return cmp.Or(port, byScheme[scheme])
}

// SameAddress reports whether two URLs lead to one place, however they are
// written.
func SameAddress(a, b string) bool { return plainAddress(a) == plainAddress(b) }

// plainAddress writes out the port, and the host in small letters, without a
// slash at the end.
func plainAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return text
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), PortOf(u.Port(), u.Scheme)) + strings.TrimRight(u.EscapedPath(), "/")
}
