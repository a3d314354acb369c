package handler

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClient(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	const proxy = "10.0.0.1:443"
	for _, c := range []struct {
		what, peer string
		forwarded  []string
		real       string
		want       string
	}{
		{"nobody between", "192.0.2.1:5", nil, "", "192.0.2.1"},
		{"IPv6", "[2001:db8::1%eth0]:5", nil, "", "2001:db8::1"},
		{"IPv4 in IPv6 form", "[::ffff:192.0.2.1]:5", nil, "", "192.0.2.1"},
		{"an untrusted peer's word", "192.0.2.1:5", []string{"198.51.100.9"}, "198.51.100.9", "192.0.2.1"},
		{"a proxy", proxy, []string{"192.0.2.1"}, "", "192.0.2.1"},
		{"a proxy in IPv6 form", "[::ffff:10.0.0.1]:443", []string{"192.0.2.1"}, "", "192.0.2.1"},
		{"an invented entry", proxy, []string{"198.51.100.9, 192.0.2.1"}, "", "192.0.2.1"},
		{"two proxies", proxy, []string{"192.0.2.1, 10.9.9.9"}, "", "192.0.2.1"},
		{"an invented entry and two proxies", proxy, []string{"198.51.100.9,192.0.2.1 ,10.9.9.9"}, "", "192.0.2.1"},
		{"several lines", proxy, []string{"198.51.100.9", "192.0.2.1, 10.1.1.1", "10.2.2.2"}, "", "192.0.2.1"},
		{"ports and brackets", proxy, []string{"192.0.2.1:1234, [fd00::1]:80, [fd00::2]"}, "", "192.0.2.1"},
		{"IPv6 with port", proxy, []string{"[2001:db8::1]:80"}, "", "2001:db8::1"},
		{"X-Forwarded-For before X-Real-IP", proxy, []string{"192.0.2.1"}, "198.51.100.9", "192.0.2.1"},
		{"X-Real-IP alone", proxy, nil, "192.0.2.1", "192.0.2.1"},
		{"X-Real-IP when all entries are proxies", proxy, []string{"10.3.3.3, 10.2.2.2"}, "192.0.2.1", "192.0.2.1"},
		{"a client in a trusted range", proxy, []string{"10.3.3.3, 10.2.2.2"}, "", "10.3.3.3"},
		{"a malformed entry stops", proxy, []string{"192.0.2.1, unknown, 10.2.2.2"}, "", "10.2.2.2"},
		{"a malformed entry stops, X-Real-IP", proxy, []string{"192.0.2.1, unknown"}, "198.51.100.9", "198.51.100.9"},
		{"a malformed entry alone", proxy, []string{"unknown"}, "", "10.0.0.1"},
		{"an empty entry stops", proxy, []string{"192.0.2.1,"}, "", "10.0.0.1"},
		{"an empty line stops", proxy, []string{"192.0.2.1", ""}, "", "10.0.0.1"},
		{"half brackets", proxy, []string{"[192.0.2.1]"}, "[2001:db8::1", "10.0.0.1"},
		{"nothing said", proxy, nil, "", "10.0.0.1"},
		{"a Unix socket", "@", []string{"192.0.2.1"}, "", "192.0.2.1"},
		{"a Unix socket and nothing said", "", nil, "", "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		for _, line := range c.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		if c.real != "" {
			r.Header.Set("X-Real-IP", c.real)
		}
		if got := proxies.client(r).String(); got != c.want {
			t.Errorf("%s: client %s, want %s", c.what, got, c.want)
		}
	}
}

func TestNoProxies(t *testing.T) {
	r := &http.Request{RemoteAddr: "127.0.0.1:5", Header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}}
	if got := (Proxies)(nil).client(r).String(); got != "127.0.0.1" {
		t.Errorf("client %s", got)
	}
}

func FuzzForwardedFor(f *testing.F) {
	f.Add("192.0.2.1, [2001:db8::1]:80", "10.0.0.1", "@")
	f.Add(",,", "[]", "[::1%x]:1")
	f.Fuzz(func(t *testing.T, forwarded, real, peer string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}, "X-Real-Ip": {real}}}
		addr := Proxies{netip.MustParsePrefix("10.0.0.0/8")}.client(r)
		if addr.Zone() != "" || addr.Is4In6() {
			t.Errorf("client %v", addr)
		}
	})
}

// TestTold: a trusted proxy's word counts, also where client and proxy are one
// machine.
func TestTold(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("127.0.0.0/8")}
	for _, c := range []struct {
		what, peer, forwarded, real string
		want                        bool
	}{
		{"a proxy", "127.0.0.1:5", "192.0.2.1", "", true},
		{"a proxy for its own machine", "127.0.0.1:5", "127.0.0.1", "", true},
		{"X-Real-IP of its own machine", "127.0.0.1:5", "", "127.0.0.1", true},
		{"a Unix socket", "@", "192.0.2.1", "", true},
		{"nothing said", "127.0.0.1:5", "", "", false},
		{"nonsense said", "127.0.0.1:5", "unknown", "", false},
		{"an untrusted peer's word", "192.0.2.1:5", "198.51.100.9", "198.51.100.9", false},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		for name, value := range map[string]string{"X-Forwarded-For": c.forwarded, "X-Real-Ip": c.real} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := proxies.told(r); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
