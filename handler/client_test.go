package handler

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	proxies := Proxies{Trusted: prefixes("127.0.0.0/8", "10.0.0.0/8", "fd00::/8")}
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
		t.Run(c.what, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			if c.real != "" {
				r.Header.Set("X-Real-IP", c.real)
			}
			if got, _ := proxies.client(r); got.String() != c.want {
				t.Errorf("client %s, want %s", got, c.want)
			}
		})
	}
}

// TestClientByHeader checks that only the header in Proxies.Header can name the
// client.
func TestClientByHeader(t *testing.T) {
	const proxy = "10.0.0.1:443"
	for _, c := range []struct {
		what, header, peer string
		lines              http.Header
		want               string
		told               bool
	}{
		{"X-Real-IP and a forged X-Forwarded-For", "x-real-ip", proxy, http.Header{"X-Forwarded-For": {"198.51.100.9"}, "X-Real-Ip": {"192.0.2.1"}}, "192.0.2.1", true},
		{"X-Real-IP in the trusted ranges", "x-real-ip", proxy, http.Header{"X-Forwarded-For": {"198.51.100.9"}, "X-Real-Ip": {"10.2.2.2"}}, "10.2.2.2", true},
		{"no X-Real-IP", "x-real-ip", proxy, http.Header{"X-Forwarded-For": {"198.51.100.9"}}, "10.0.0.1", false},
		{"a malformed X-Real-IP", "x-real-ip", proxy, http.Header{"X-Forwarded-For": {"198.51.100.9"}, "X-Real-Ip": {"unknown"}}, "10.0.0.1", false},
		{"two lines", "x-real-ip", proxy, http.Header{"X-Real-Ip": {"198.51.100.9", "192.0.2.1"}}, "192.0.2.1", true},
		{"two entries", "x-real-ip", proxy, http.Header{"X-Real-Ip": {"198.51.100.9, 192.0.2.1"}}, "192.0.2.1", true},
		{"two entries, the last one trusted", "x-real-ip", proxy, http.Header{"X-Real-Ip": {"198.51.100.9, 10.2.2.2"}}, "10.2.2.2", true},
		{"a malformed last entry", "x-real-ip", proxy, http.Header{"X-Real-Ip": {"198.51.100.9,"}}, "10.0.0.1", false},
		{"a header of one's own", "CF-Connecting-IP", proxy, http.Header{"Cf-Connecting-Ip": {"2001:db8::7"}, "X-Real-Ip": {"198.51.100.9"}}, "2001:db8::7", true},
		{"it is absent", "cf-connecting-ip", proxy, http.Header{"X-Forwarded-For": {"198.51.100.9"}, "X-Real-Ip": {"198.51.100.9"}}, "10.0.0.1", false},
		{"from no proxy", "cf-connecting-ip", "192.0.2.1:5", http.Header{"Cf-Connecting-Ip": {"198.51.100.9"}}, "192.0.2.1", false},
		{"a Unix socket", "x-real-ip", "@", http.Header{"X-Real-Ip": {"192.0.2.1"}}, "192.0.2.1", true},
		{"the default by its name", "x-forwarded-for", proxy, http.Header{"X-Forwarded-For": {"192.0.2.1, 10.2.2.2"}, "X-Real-Ip": {"198.51.100.9"}}, "192.0.2.1", true},
		{"the default by its name, and X-Real-IP", "x-forwarded-for", proxy, http.Header{"X-Forwarded-For": {"10.2.2.2"}, "X-Real-Ip": {"192.0.2.1"}}, "192.0.2.1", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			proxies := Proxies{Trusted: prefixes("10.0.0.0/8"), Header: c.header}
			addr, told := proxies.client(&http.Request{RemoteAddr: c.peer, Header: c.lines})
			if addr.String() != c.want || told != c.told {
				t.Errorf("client %s, told %v, want %s, %v", addr, told, c.want, c.told)
			}
		})
	}
}

func TestNoProxies(t *testing.T) {
	r := &http.Request{RemoteAddr: "127.0.0.1:5", Header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}}
	if got, _ := (Proxies{}).client(r); got.String() != "127.0.0.1" {
		t.Errorf("client %s, want 127.0.0.1", got)
	}
}

// FuzzClientAddress checks these properties:
//
//   - The service takes the client's address from the connection, or else from
//     a header of the request.
//   - A peer that is no trusted proxy is itself the client.
//   - If the proxy sets the header or appends to it, the client cannot change
//     the result.
func FuzzClientAddress(f *testing.F) {
	for _, peer := range []string{"10.0.0.1:443", "192.0.2.1:5", "@"} {
		for _, name := range []string{"", "x-real-ip", "cf-connecting-ip"} {
			f.Add(name, "192.0.2.1, [2001:db8::1]:80", "10.0.0.1", "::ffff:10.0.0.9", peer)
		}
	}
	f.Add("x-forwarded-for", ",,", "[]", "fe80::1%x", "[::1%x]:1")
	f.Add("X-Real-Ip", "10.0.0.1,10.0.0.2", "198.51.100.9,192.0.2.1:80", "", "[::ffff:10.0.0.1]:1")
	f.Fuzz(func(t *testing.T, name, forwarded, real, other, peer string) {
		header := http.Header{headerForwardedFor: {forwarded}, headerRealIP: {real}, "Cf-Connecting-Ip": {other}}
		p := Proxies{Trusted: prefixes("10.0.0.0/8"), Header: name}
		r := &http.Request{RemoteAddr: peer, Header: header}
		addr, told := p.client(r)
		from := peerAddr(peer)
		switch {
		case addr.Zone() != "" || addr.Is4In6():
			t.Errorf("got the client %v, want it without a zone, and not as IPv4 in IPv6", addr)
		case !told && addr != from:
			t.Errorf("got the client %v, which no proxy named, want the peer %v", addr, from)
		case told && from.IsValid() && !p.Trust(from):
			t.Errorf("got the client %v by the word of %v, which is no proxy, want the peer", addr, from)
		case told && !strings.Contains(forwarded+real+other, ".") && !strings.Contains(forwarded+real+other, ":"):
			t.Errorf("got the client %v, but no header has an address; want the peer %v", addr, from)
		}
		if from.IsValid() && p.Trust(from) {
			cannotForge(t, p, r)
		}
	})
}

// cannotForge sends r through a proxy that writes the client's true address
// into the proxies' header. It checks that the service finds this address.
func cannotForge(t *testing.T, p Proxies, r *http.Request) {
	t.Helper()
	name := http.CanonicalHeaderKey(cmp.Or(p.Header, headerForwardedFor))
	for i := range name {
		if name[i] >= 0x80 || name[i] <= ' ' {
			return // name is not a valid name of a header
		}
	}
	for _, visitor := range []string{"192.0.2.77", "2001:db8::77"} {
		for _, how := range []func([]string) []string{
			func(sent []string) []string { return append(slices.Clone(sent), visitor) },
			func(sent []string) []string { return []string{strings.Join(append(slices.Clone(sent), visitor), ", ")} },
			func([]string) []string { return []string{visitor} },
		} {
			seen := r.Clone(context.Background())
			seen.Header[name] = how(r.Header[name])
			if addr, told := p.client(seen); addr.String() != visitor || !told {
				t.Errorf("client %v, told %v, want %s, whom the proxy saw; %s is %q", addr, told, visitor, name, seen.Header[name])
			}
		}
	}
}

// TestTold checks that the service believes the address that a trusted proxy
// names, even if client and proxy are on the same machine.
func TestTold(t *testing.T) {
	proxies := Proxies{Trusted: prefixes("127.0.0.0/8")}
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
		t.Run(c.what, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
			for name, value := range map[string]string{"X-Forwarded-For": c.forwarded, "X-Real-Ip": c.real} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if _, got := proxies.client(r); got != c.want {
				t.Errorf("%s: told %v, want %v", c.what, got, c.want)
			}
		})
	}
}
