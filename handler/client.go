package handler

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the addresses whose word about the client counts.
type Proxies []netip.Prefix

func (p Proxies) trust(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// client returns the address that the request came from: the connection's
// peer, unless that is a trusted proxy. Then it is the last address in
// X-Forwarded-For that is not a trusted proxy itself (every proxy appends whom
// it saw, so what stands left of that one may be invented), else X-Real-IP,
// else the first address of X-Forwarded-For: a client within the trusted
// ranges. The peer of a Unix socket has no address and is trusted. The result
// is the zero Addr if nobody knows.
func (p Proxies) client(r *http.Request) netip.Addr {
	peer := peerAddr(r.RemoteAddr)
	if peer.IsValid() && !p.trust(peer) {
		return peer
	}
	forwarded, found := p.forwardedFor(r.Header["X-Forwarded-For"])
	if found {
		return forwarded
	}
	if addr, ok := parseAddr(r.Header.Get("X-Real-Ip")); ok {
		return addr
	}
	if forwarded.IsValid() {
		return forwarded
	}
	return peer
}

// told reports whether client takes what a trusted proxy says of the request,
// be it the proxy's own address: all of them may be one machine.
func (p Proxies) told(r *http.Request) bool {
	peer := peerAddr(r.RemoteAddr)
	if peer.IsValid() && !p.trust(peer) {
		return false
	}
	forwarded, found := p.forwardedFor(r.Header["X-Forwarded-For"])
	_, isReal := parseAddr(r.Header.Get("X-Real-Ip"))
	return found || isReal || forwarded.IsValid()
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
			if !p.trust(addr) {
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

// network is what shares the limit of failures: one IPv4 address, or the /64
// that one IPv6 subscriber has at least.
func network(client netip.Addr) netip.Prefix {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	prefix, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero Addr: all whom nobody knows
	}
	return prefix
}
