package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// forClients warns of a URL of the SFU that clients cannot use. The service
// starts all the same. doctor's check config.sfu_url decides whether such a URL
// is a fault.
func (j *judge) forClients(v value, u *url.URL) {
	kind, why := ForClients(u)
	switch kind {
	case InsideOnly:
		j.warn(v, kind, "clients get this address, and %s; write the address that they reach, like wss://sfu.example.org, and put this address into LIVEKIT_INTERNAL_URL", why)
		return
	case OwnNetwork:
		j.warn(v, kind, "clients get this address, and %s", why)
	}
	switch {
	case isClear(u):
		j.warn(v, ClearText, "clients get this address, and %s; write %s, or put this address into LIVEKIT_INTERNAL_URL", refusedWS, clientForm(u))
	case strings.HasPrefix(u.Scheme, "http"):
		j.warn(v, WrongScheme, "this is not a ws:// or wss:// URL, which clients expect; write %s", clientForm(u))
	}
}

// clientForm returns the SFU's URL u in the form that clients need: with the scheme
// wss, and without a part like /rtc at the end of the path. Only for a loopback address
// with the scheme http, the scheme is ws.
func clientForm(u *url.URL) string {
	scheme := "wss"
	if isLoopback(plainHost(u)) {
		scheme = wsScheme(u.Scheme)
	}
	return scheme + "://" + u.Host + ownPath(u)
}

// apiBase returns the SFU's URL u without a part like /rtc at the end of the path. Only
// this program uses the result.
func apiBase(u *url.URL) string { return u.Scheme + "://" + u.Host + ownPath(u) }

// ownPath returns the path of the SFU's address u, without a part like /rtc at
// its end, which callers append themselves.
func ownPath(u *url.URL) string {
	if u.EscapedPath() == "" {
		return "" // usually there is no path; then the regular expression is not compiled
	}
	if added := addedToSFU().FindStringSubmatch(u.EscapedPath()); added != nil {
		return added[1]
	}
	return u.EscapedPath()
}

// ForClients says whether every client can use u as the SFU's URL, even from a
// web page with https://. If every client can, kind is "". Otherwise kind is
// [InsideOnly], [OwnNetwork] or [ClearText], and why is the reason. ForClients
// looks up no names. It accepts loopback addresses, for a trial on one machine.
func ForClients(u *url.URL) (kind Kind, why string) {
	host := plainHost(u)
	if isLoopback(host) {
		return "", ""
	}
	if why := cmp.Or(insideAddress(host), insideName(host)); why != "" {
		return InsideOnly, why
	}
	for _, end := range ownNetworks {
		if strings.HasSuffix(host, end) {
			return OwnNetwork, fmt.Sprintf("names that end in %s are known in one network only: clients in other networks cannot find such a name", end)
		}
	}
	if isClear(u) {
		return ClearText, refusedWS
	}
	return "", ""
}

const refusedWS = "browsers refuse ws:// on a page of https://"

// isClear reports whether clients would connect without TLS.
func isClear(u *url.URL) bool {
	return u.Scheme != "wss" && u.Scheme != "https" && !isLoopback(plainHost(u))
}

// plainHost returns the host of u in lower case, without a dot at its end.
func plainHost(u *url.URL) string { return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") }

// ownNetworks are the ends of host names that never exist on the internet. They
// come from RFC 6762 (section 3 and appendix G), RFC 8375 and ICANN's
// reservation of .internal. AVM's routers give the machines behind them names
// that end in .fritz.box.
var ownNetworks = []string{".local", ".internal", ".home.arpa", ".lan", ".home", ".corp", ".private", ".intranet", ".localdomain", ".fritz.box"}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// carrierGrade is the range of addresses that carriers (RFC 6598) and
// Tailscale give to machines.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// insideAddress says why clients elsewhere cannot reach an IP address. It
// returns "" if they may reach it, or if host is a name.
func insideAddress(host string) string {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	switch addr = addr.Unmap(); {
	case addr.IsPrivate():
		return addr.String() + " is a private address"
	case addr.IsLinkLocalUnicast():
		return addr.String() + " is a link-local address"
	case carrierGrade.Contains(addr):
		return addr.String() + " is an address behind carrier-grade NAT"
	case !addr.IsGlobalUnicast():
		return addr.String() + " is no address to connect to"
	}
	return ""
}

// insideName returns a text that says who can resolve the host name: only
// containers, only pods, or only machines in one network. It returns "" if all
// machines may be able to resolve the name.
func insideName(host string) string {
	switch {
	case strings.HasSuffix(host, ".docker.internal"), strings.HasSuffix(host, ".containers.internal"):
		return "only containers of this machine know that name"
	case strings.HasSuffix(host, ".svc"), strings.HasSuffix(host, ".cluster.local"):
		return "only pods of this cluster know that name"
	case !strings.ContainsAny(host, ".:"):
		return "a name without a dot is known only to containers, or in one network"
	}
	return ""
}

// These patterns match addresses with a path at their end that the operator must
// leave out:
//
//   - addedToSFU: clients and this program append this path to the SFU's
//     address themselves.
//   - addedToHomeserver: this program appends this path to a homeserver's
//     address itself.
//   - ownRoute: this path belongs to this service.
var (
	addedToSFU        = pattern.New(`^(.*?)(/rtc(?:/v1)?(?:/validate)?|/twirp(?:/.*?)?)/*$`)
	addedToHomeserver = pattern.New(`^(.*?)(/(?:_matrix|_synapse|\.well-known)(?:/.*?)?)/*$`)
	ownRoute          = pattern.New(`(/sfu/get|/get_token|/delegate_delayed_leave|/sfu_webhook|/healthz)/*$`)
)

// sfuPath warns if the SFU's URL ends in a path that callers append
// themselves. form returns the URL that the operator should write instead.
func (j *judge) sfuPath(v value, u *url.URL, form func(*url.URL) string) {
	path := u.EscapedPath()
	if path == "" {
		return // usually there is no path; then the regular expressions are not compiled
	}
	if route := ownRoute().FindStringSubmatch(path); route != nil {
		j.warn(v, AddedPath, "the path %s belongs to this service, not to LiveKit; write the address of LiveKit, like wss://sfu.example.org", route[1])
	}
	if added := addedToSFU().FindStringSubmatch(path); added != nil {
		j.warn(v, AddedPath, "this program and clients append the path %s themselves; write %s", added[2], form(u))
	}
}

// homeserverPath warns if u ends in a path that this program appends itself.
// The operator has set u as the address of server.
func (j *judge) homeserverPath(v value, server string, u *url.URL) {
	if base, added := AddedToHomeserver(u); added != "" {
		j.warn(v, AddedPath, "this program appends the path %s itself; write %s=%s://%s%s", added, server, u.Scheme, u.Host, base)
	}
}

// AddedToHomeserver splits the path of a homeserver's URL. If the path ends in
// a part that this program appends itself, added is this part. Otherwise added
// is "". base is the path without added.
func AddedToHomeserver(u *url.URL) (base, added string) {
	if match := addedToHomeserver().FindStringSubmatch(u.EscapedPath()); match != nil {
		return match[1], match[2]
	}
	return u.EscapedPath(), ""
}
