package handler

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"matrixrtc-auth/access"
)

// Proxies are the reverse proxies that the service trusts to name a client's
// address.
type Proxies struct {
	// Trusted are the networks of the proxies.
	Trusted []netip.Prefix
	// Header is the header in which the proxies name the client's address. ""
	// means X-Forwarded-For. The proxy nearest to the service must set the
	// header or append to it. Otherwise clients could write the header
	// themselves, and the service could not notice.
	Header string
}

const (
	headerForwardedFor = "X-Forwarded-For"
	headerRealIP       = "X-Real-Ip"
)

// Trust reports whether addr is the address of a trusted proxy.
func (p Proxies) Trust(addr netip.Addr) bool {
	for _, prefix := range p.Trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Share returns the network of peer. The service bounds how many connections
// each network has open. ok is false for a trusted proxy, because many clients
// share it. ok is also false for a Unix socket.
func (p Proxies) Share(peer net.Addr) (from netip.Prefix, ok bool) {
	addr := peerAddr(peer.String())
	return access.Network(addr), addr.IsValid() && !p.Trust(addr)
}

// client returns the address of the client, or the zero Addr if the address is
// unknown. Usually the client is the peer of the connection. But if the peer is
// a trusted proxy or a Unix socket, client returns the address that the proxy
// names, and told is true. If the proxy names no address, client returns the
// peer's address.
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

// named returns the client's address from the proxies' header, or the zero Addr
// if there is no address.
//
// X-Forwarded-For is a list. Every proxy appends the address of its peer. The
// client may have invented the first entries, so named returns the last address
// that is not a trusted proxy. If all addresses are trusted proxies, the client
// itself is in a trusted network. Then named returns X-Real-IP, or else the
// first address of the list.
//
// Any other header holds one address. For such a header, named never reads
// X-Real-IP.
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

// list reports whether the proxies' header is X-Forwarded-For. Only this header
// holds a list of addresses.
func (p Proxies) list() bool {
	return p.Header == "" || strings.EqualFold(p.Header, headerForwardedFor)
}

// lastAddr returns the last address in the last line of a header. The proxy
// nearest to the service wrote this address. lastAddr returns the zero Addr if
// there is no address.
func lastAddr(lines []string) netip.Addr {
	if len(lines) == 0 {
		return netip.Addr{}
	}
	_, entry, _ := cutLast(lines[len(lines)-1], ',')
	addr, _ := parseAddr(strings.TrimSpace(entry))
	return addr
}

// nearest returns the last address in each header that may name the client. The
// keys of the map are the headers' names in lower case.
func (p Proxies) nearest(header http.Header) map[string]netip.Addr {
	last := map[string]netip.Addr{}
	for _, name := range []string{headerForwardedFor, headerRealIP, p.Header} {
		if addr := lastAddr(header.Values(name)); addr.IsValid() {
			last[strings.ToLower(name)] = addr
		}
	}
	return last
}

// peerAddr parses remote, the address of a connection's peer as net/http writes
// it.
func peerAddr(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // remote is the address of a Unix socket, or no address
	}
	return peer.Addr().Unmap().WithZone("")
}

// forwardedFor reads the addresses in X-Forwarded-For from right to left. At
// the first address that is not a trusted proxy, it stops, and returns that
// address with found true. It also stops at text that is no address. If found
// is false, addr is the last address that it read.
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

// parseAddr parses an address in the forms that proxies write: bare or in
// brackets, with or without a port. It turns an IPv4 address in IPv6 form into
// an IPv4 address.
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
