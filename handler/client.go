package handler

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"matrixrtc-auth/access"
)

// Proxies are the reverse proxies that say who the client is. Only they are
// believed.
type Proxies struct {
	// Trusted are the networks of the proxies.
	Trusted []netip.Prefix
	// Header is the header in which they name the client, X-Forwarded-For if it
	// is "". The nearest proxy must set it or append to it. Otherwise a client
	// could write it, and nobody can tell that from the request.
	Header string
}

const (
	headerForwardedFor = "X-Forwarded-For"
	headerRealIP       = "X-Real-Ip"
)

// Trust reports whether addr is the address of a proxy.
func (p Proxies) Trust(addr netip.Addr) bool {
	for _, prefix := range p.Trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Share returns the network to whose share a connection counts. ok is false for
// a proxy, behind which there are many clients, and for a Unix socket.
func (p Proxies) Share(peer net.Addr) (from netip.Prefix, ok bool) {
	addr := peerAddr(peer.String())
	return access.Network(addr), addr.IsValid() && !p.Trust(addr)
}

// client returns the address of the client. That is the connection's peer,
// unless the peer is a trusted proxy: then it is the address that the proxy
// names. told reports that a proxy named one; it may be the proxy's own
// address, if both are on one machine. The peer of a Unix socket has no address
// and is trusted. The result is the zero Addr if the client's address is
// unknown.
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

// named returns the address in the proxy's header, the zero Addr if there is
// none. X-Forwarded-For is a list to which every proxy appends its peer. A
// client may have invented the first entries, so the last address that is not a
// trusted proxy counts. If all are trusted proxies, X-Real-IP counts, else the
// first address: in that case the client is within the trusted ranges. Any
// other header holds one address, and no other header replaces it.
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

// list reports whether the proxies write a list: X-Forwarded-For.
func (p Proxies) list() bool {
	return p.Header == "" || strings.EqualFold(p.Header, headerForwardedFor)
}

// lastAddr returns the last entry of the last line, which the nearest proxy
// wrote. It is the zero Addr if that is no address.
func lastAddr(lines []string) netip.Addr {
	if len(lines) == 0 {
		return netip.Addr{}
	}
	_, entry, _ := cutLast(lines[len(lines)-1], ',')
	addr, _ := parseAddr(strings.TrimSpace(entry))
	return addr
}

// nearest returns the last address in each header that may name the client, by
// the header's name in lower case.
func (p Proxies) nearest(header http.Header) map[string]netip.Addr {
	last := map[string]netip.Addr{}
	for _, name := range []string{headerForwardedFor, headerRealIP, p.Header} {
		if addr := lastAddr(header.Values(name)); addr.IsValid() {
			last[strings.ToLower(name)] = addr
		}
	}
	return last
}

// peerAddr parses the address of a connection in net/http's form.
func peerAddr(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // a Unix socket
	}
	return peer.Addr().Unmap().WithZone("")
}

// forwardedFor reads the entries of all lines from right to left. It stops at
// the first that is not a trusted proxy (found), or is no address. If found is
// false, addr is the leftmost entry that it read.
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

// parseAddr parses an address as proxies write it: bare or in brackets, with or
// without a port. An IPv4 address in IPv6 form becomes an IPv4 address.
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
