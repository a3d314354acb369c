package outbound_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"matrixrtc-auth/internal/outbound"
)

func TestPublicOnly(t *testing.T) {
	refused := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255",
		"127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
		"100::1", "5f00::1", "2001::1", "2001:0:a9fe:a9fe::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1", "4000::1",
		// These IPv6 addresses contain IPv4 addresses that are not public.
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
		"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8",
		"2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:c0a8:101::",
	}
	allowed := []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
		"128.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255",
		"2606:4700::1111", "2a00:1450::1", "2003::1",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
	}
	permit := outbound.PublicOnly(nil)
	for _, addr := range refused {
		t.Run("refused "+addr, func(t *testing.T) {
			err := permit(netip.MustParseAddr(addr))
			if _, ok := errors.AsType[*outbound.RefusedError](err); !ok {
				t.Errorf("%s: err = %v, want it refused", addr, err)
			}
		})
	}
	for _, addr := range allowed {
		t.Run("allowed "+addr, func(t *testing.T) {
			if err := permit(netip.MustParseAddr(addr)); err != nil {
				t.Errorf("%s: got %v, want no error", addr, err)
			}
		})
	}
	if permit(netip.Addr{}) == nil {
		t.Error("the zero address: got no error, want one")
	}
}

func TestAllowedNetworks(t *testing.T) {
	permit := outbound.PublicOnly([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")})
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd12::1": true,
		"10.2.0.1": false, "fe80::1": false, "127.0.0.1": false,
	} {
		t.Run(addr, func(t *testing.T) {
			if got := permit(netip.MustParseAddr(addr)) == nil; got != want {
				t.Errorf("%s: permitted %v, want %v", addr, got, want)
			}
		})
	}
}

// TestTheCheckIsOnTheSocket checks what the Dialer does with a name that resolves
// to private addresses. It must refuse each of these addresses before it sends
// anything.
func TestTheCheckIsOnTheSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	var asked []netip.Addr
	d := outbound.Dialer{Permit: func(addr netip.Addr) error {
		asked = append(asked, addr)
		return outbound.PublicOnly(nil)(addr)
	}}
	c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("localhost", port))
	if err == nil {
		c.Close()
		t.Fatal("loopback: got a connection, want an error")
	}
	if outbound.Cause(err) != outbound.CauseRefused || len(asked) == 0 {
		t.Errorf("got %v after questions about %v, want the cause %s, and some", err, asked, outbound.CauseRefused)
	}
}

func FuzzPublicOnly(f *testing.F) {
	f.Add(netip.MustParseAddr("64:ff9b::7f00:1").AsSlice())
	f.Add(netip.MustParseAddr("10.0.0.1").AsSlice())
	permit := outbound.PublicOnly(nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, ok := netip.AddrFromSlice(b)
		if !ok || permit(addr) != nil {
			return
		}
		// These addresses must never be permitted. To be independent, this check does
		// not use the list notPublic.
		a := addr.Unmap()
		if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() {
			t.Errorf("%v: got no error, want one", addr)
		}
	})
}
