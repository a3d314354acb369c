package outbound

import (
	"fmt"
	"net/netip"
	"slices"
)

// RefusedError says that this service does not connect to an address. Strangers
// choose some hosts to which the service connects. For these hosts, it refuses
// addresses that are neither public nor allowed by the operator (see [PublicOnly]).
type RefusedError struct{ Addr netip.Addr }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("address %s is not public", e.Addr)
}

// PublicOnly returns a function for [Dialer.Permit]. The function accepts global
// unicast addresses and addresses in allowed, and refuses all other addresses. The
// service uses it for servers that the operator did not name.
func PublicOnly(allowed []netip.Prefix) func(netip.Addr) error {
	return func(addr netip.Addr) error {
		addr = addr.Unmap()
		within := func(p netip.Prefix) bool { return p.Contains(addr) }
		if isPublic(addr) || slices.ContainsFunc(allowed, within) {
			return nil
		}
		return &RefusedError{addr}
	}
}

// notPublic lists the blocks of addresses that are not globally reachable, by the
// special-purpose registries of IANA. It also lists the public addresses at which
// clouds serve metadata to their machines. PublicOnly refuses all IPv6 addresses
// outside 2000::/3 anyway, so the list holds only IPv6 blocks within 2000::/3.
var notPublic = prefixes(
	"0.0.0.0/8",        // "this network"
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carrier-grade NAT; metadata of Alibaba's cloud
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // metadata and health endpoint of Azure
	"169.254.0.0/16",   // link-local addresses; metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; metadata of Oracle's cloud
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relay
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarking
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast

	"2001::/23",     // protocol assignments: Teredo, ORCHID, benchmarking
	"2001:db8::/32", // documentation
	"3fff::/20",     // documentation
)

var (
	globalV6  = netip.MustParsePrefix("2000::/3")
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

func isPublic(addr netip.Addr) bool {
	switch {
	case !addr.IsValid() || addr.Zone() != "":
		return false
	case nat64.Contains(addr):
		return isPublic(embedded(addr, 12))
	case sixToFour.Contains(addr):
		return isPublic(embedded(addr, 2))
	case addr.Is6() && !globalV6.Contains(addr):
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// embedded returns the IPv4 address that is in the four bytes of addr from byte i
// on.
func embedded(addr netip.Addr, i int) netip.Addr {
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[i : i+4]))
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, p := range list {
		out[i] = netip.MustParsePrefix(p)
	}
	return out
}
