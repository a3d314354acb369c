package access_test

import (
	"net/netip"
	"testing"

	"matrixrtc-auth/access"
)

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7":           "192.0.2.7/32",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
	} {
		if got := access.Network(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("access.Network(%s) = %s, want %s", addr, got, want)
		}
	}
	if access.Network(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("nobody has a network")
	}
}
