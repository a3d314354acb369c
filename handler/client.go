package handler

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"matrixrtc-auth/access"
)

// Proxies say who the client is. Nobody else's word about it counts.
type Proxies struct {
	// Trusted are the networks of the proxies.
	Trusted []netip.Prefix
	// Header is where they say it: X-Forwarded-For, in any case, when it is "".
	// It must be one that the nearest proxy sets or appends to itself: from the
	// request alone, what a client sent cannot be told from a proxy's own.
	Header string
}

const (
	headerForwardedFor = "X-Forwarded-For"
	headerRealIP       = "X-Real-Ip"
)

// Trust reports whether addr is a proxy's.
func (p Proxies) Trust(addr netip.Addr) bool {
	for _, prefix := range p.Trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Share returns the network whose share a connection counts for. ok is false for
// a proxy's, behind which many clients are, and for one of a Unix socket.
func (p Proxies) Share(peer net.Addr) (from netip.Prefix, ok bool) {
	addr := peerAddr(peer.String())
	return access.Network(addr), addr.IsValid() && !p.Trust(addr)
}

// client returns the address that the request came from: the connection's
// peer, unless that is a trusted proxy, whose word counts then. told reports
// that a proxy did tell it; the address may be the proxy's own, because both
// may be one machine. The peer of a Unix socket has no address and is trusted.
// The result is the zero Addr if nobody knows.
func (p Proxies) client(r *http.Request) (addr netip.Addr, told bool) {
	peer := peerAddr(r.RemoteAddr)
	if peer.IsValid() && !p.Trust(peer) {
		return peer, false
	}
	if addr = p.named(r.Header); addr.IsValid() {
		return addr, true
	}
	return peer, false
}

// named returns the address that the proxy's header names, the zero Addr if
// there is none. X-Forwarded-For is a list, to which every proxy appends whom it
// saw: the last address there that is not a trusted proxy itself counts, because
// what stands left of it may be invented. Where it names no such address,
// X-Real-IP counts, else its first address: a client within the trusted ranges.
// Any other header holds one address, and nothing takes its place.
func (p Proxies) named(header http.Header) netip.Addr {
	if !p.list() {
		return lastAddr(header.Values(p.Header))
	}
	forwarded, found := p.forwardedFor(header[headerForwardedFor])
	if found {
		return forwarded
	}
	if addr := lastAddr(header[headerRealIP]); addr.IsValid() {
		return addr
	}
	return forwarded
}

// list reports whether the proxies write a list, X-Forwarded-For.
func (p Proxies) list() bool {
	return p.Header == "" || strings.EqualFold(p.Header, headerForwardedFor)
}

// lastAddr returns the last entry of the last line, the zero Addr if that is no
// address: of several, it is the nearest proxy's.
func lastAddr(lines []string) netip.Addr {
	if len(lines) == 0 {
		return netip.Addr{}
	}
	_, entry, _ := cutLast(lines[len(lines)-1], ',')
	addr, _ := parseAddr(strings.TrimSpace(entry))
	return addr
}

// nearest returns, for each header that proxies tell the client in, by its name
// in lower case, what the nearest one wrote there, or passed on.
func (p Proxies) nearest(header http.Header) map[string]netip.Addr {
	last := map[string]netip.Addr{}
	for _, name := range []string{headerForwardedFor, headerRealIP, p.Header} {
		if addr := lastAddr(header.Values(name)); addr.IsValid() {
			last[strings.ToLower(name)] = addr
		}
	}
	return last
}

// peerAddr reads the address of a connection, as net/http gives it.
func peerAddr(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // a Unix socket
	}
	return peer.Addr().Unmap().WithZone("")
}

// forwardedFor walks the entries of all lines from right to left, up to the
// first that is not a trusted proxy (found) or that is not an address. Without
// a find it returns the leftmost entry that it came by.
func (p Proxies) forwardedFor(lines []string) (addr netip.Addr, found bool) {
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			rest, entry, more = cutLast(rest, ',')
			next, ok := parseAddr(strings.TrimSpace(entry))
			if !ok {
				return addr, false
			}
			addr = next
			if !p.Trust(addr) {
				return addr, true
			}
		}
	}
	return addr, false
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}

// parseAddr reads an address as proxies write it: bare, in brackets, with or
// without a port. An IPv4 address in IPv6 form becomes the IPv4 address.
func parseAddr(s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return parseBracketed(s)
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

func parseBracketed(s string) (netip.Addr, bool) {
	inner, opened := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	if !opened || !closed || err != nil || !addr.Is6() {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}
