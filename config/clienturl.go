package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// forClients warns of an address of the SFU that clients cannot use.
func (j *judge) forClients(v value, u *url.URL) {
	kind, why := ForClients(u)
	switch kind {
	case InsideOnly:
		j.warn(v, kind, "clients get this, and %s; write the address that they reach, like wss://sfu.example.org, and put this one into LIVEKIT_INTERNAL_URL", why)
		return
	case OwnNetwork:
		j.warn(v, kind, "clients get this, and %s", why)
	}
	switch {
	case isClear(u):
		j.warn(v, ClearText, "clients get this, and %s; write %s, or put this address into LIVEKIT_INTERNAL_URL", refusedWS, clientForm(u))
	case strings.HasPrefix(u.Scheme, "http"):
		j.warn(v, WrongScheme, "not a ws:// or wss:// URL: clients expect one, write %s", clientForm(u))
	}
}

// clientForm is what to write instead of an address of the SFU that clients get.
func clientForm(u *url.URL) string {
	scheme := "wss"
	if isLoopback(plainHost(u)) {
		scheme = wsScheme(u.Scheme)
	}
	return scheme + "://" + u.Host + ownPath(u)
}

// apiBase is what to write instead of one that this program alone uses.
func apiBase(u *url.URL) string { return u.Scheme + "://" + u.Host + ownPath(u) }

// ownPath is the path of the SFU's address without what is added to it.
func ownPath(u *url.URL) string {
	if u.EscapedPath() == "" {
		return "" // as most are: no expression is compiled for it
	}
	if added := addedToSFU().FindStringSubmatch(u.EscapedPath()); added != nil {
		return added[1]
	}
	return u.EscapedPath()
}

// ForClients judges an address of the SFU as one that clients get: whether they
// reach it, wherever they are, and from a page of https://. The kind is
// [InsideOnly], [OwnNetwork], [ClearText], or "" where nothing is wrong; why says
// the reason. Names are not looked up. Loopback is right for a trial on one
// machine.
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
			return OwnNetwork, fmt.Sprintf("names that end in %s are known in one network alone: clients elsewhere do not find it", end)
		}
	}
	if isClear(u) {
		return ClearText, refusedWS
	}
	return "", ""
}

const refusedWS = "browsers refuse ws:// on a page of https://"

// isClear reports whether clients would have to go there without TLS.
func isClear(u *url.URL) bool {
	return u.Scheme != "wss" && u.Scheme != "https" && !isLoopback(plainHost(u))
}

// plainHost is the host in small letters, without the dot that may end a name.
func plainHost(u *url.URL) string { return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") }

// ownNetworks end names that nobody sells, by RFC 6762 (3 and appendix G), RFC
// 8375 and ICANN's reservation of .internal; and .fritz.box, which routers of AVM
// give to the machines behind them.
var ownNetworks = []string{".local", ".internal", ".home.arpa", ".lan", ".home", ".corp", ".private", ".intranet", ".localdomain", ".fritz.box"}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// carrierGrade is what carriers (RFC 6598) and Tailscale give to their machines.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// insideAddress says why an address is none on the internet, "" if it may be one.
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

// insideName says why a name leads nowhere but beside the SFU, "" if it may.
func insideName(host string) string {
	switch {
	case strings.HasSuffix(host, ".docker.internal"), strings.HasSuffix(host, ".containers.internal"):
		return "containers of this machine alone know that name"
	case strings.HasSuffix(host, ".svc"), strings.HasSuffix(host, ".cluster.local"):
		return "the pods of this cluster alone know that name"
	case !strings.ContainsAny(host, ".:"):
		return "a name that has no dot is one of containers, or of one network"
	}
	return ""
}

// What is added to an address: the SFU's path by clients and by this program,
// the homeserver's by this program. And the routes of this service, which clients
// add to its own address.
var (
	addedToSFU        = pattern.New(`^(.*?)(/rtc(?:/v1)?(?:/validate)?|/twirp(?:/.*?)?)/*$`)
	addedToHomeserver = pattern.New(`^(.*?)(/(?:_matrix|_synapse|\.well-known)(?:/.*?)?)/*$`)
	ownRoute          = pattern.New(`(/sfu/get|/get_token|/delegate_delayed_leave|/sfu_webhook|/healthz)/*$`)
)

// sfuPath warns of a path at the end of the SFU's address that does not belong
// to it. form says how to write the address without it.
func (j *judge) sfuPath(v value, u *url.URL, form func(*url.URL) string) {
	path := u.EscapedPath()
	if path == "" {
		return // as most do: no expression is compiled for it
	}
	if route := ownRoute().FindStringSubmatch(path); route != nil {
		j.warn(v, AddedPath, "%s is a route of this service; write the address of LiveKit, like wss://sfu.example.org", route[1])
	}
	if added := addedToSFU().FindStringSubmatch(path); added != nil {
		j.warn(v, AddedPath, "%s is added by the program; write %s", added[2], form(u))
	}
}

// homeserverPath is sfuPath for the override of a server.
func (j *judge) homeserverPath(v value, server string, u *url.URL) {
	if base, added := AddedToHomeserver(u); added != "" {
		j.warn(v, AddedPath, "%s is added by the program; write %s=%s://%s%s", added, server, u.Scheme, u.Host, base)
	}
}

// AddedToHomeserver returns the path at the end of a homeserver's address that
// this program adds, "" for none, and the path before it.
func AddedToHomeserver(u *url.URL) (base, added string) {
	if match := addedToHomeserver().FindStringSubmatch(u.EscapedPath()); match != nil {
		return match[1], match[2]
	}
	return u.EscapedPath(), ""
}
