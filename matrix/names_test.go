package matrix_test

import (
	"fmt"
	"strings"
	"testing"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/matrix"
)

func TestParseServerName(t *testing.T) {
	for _, name := range []string{
		"example.org", "Example.ORG", "matrix.example.org:8448", "localhost", "a", "a-b.c", "1.2.3.4", "1.2.3.4:1",
		"[::1]", "[2001:db8::1]:8448", "example.org:00443", strings.Repeat("a", 255),
	} {
		t.Run(fmt.Sprintf("%.40q", name), func(t *testing.T) {
			got, err := matrix.ParseServerName(name)
			if err != nil || got.String() != name {
				t.Errorf("ParseServerName(%q): got %q, %v, want the same name", name, got, err)
			}
		})
	}
	for _, name := range []string{
		"", ":", ":8448", "example.org:", "example.org:0", "example.org:65536", "example.org:123456", "example.org:-1",
		"example.org:+1", "example.org:8448:1", "https://example.org", "example.org/", "exa mple.org", "exa_mple.org",
		"exämple.org", "example.org\n", "@example.org", "::1", "[::1", "::1]", "[1.2.3.4]", "[fe80::1%eth0]", "[::1]8448",
		"[::1]:", "[]", "user@example.org", "example.org?x", "example.org#x", strings.Repeat("a", 256),
	} {
		t.Run(fmt.Sprintf("%.40q", name), func(t *testing.T) {
			if got, err := matrix.ParseServerName(name); err == nil || !got.IsZero() {
				t.Errorf("ParseServerName(%q): got %q, %v, want an error", name, got, err)
			}
		})
	}
}

func TestServerNameParts(t *testing.T) {
	for name, want := range map[string][2]string{
		"example.org":        {"example.org", ""},
		"example.org:443":    {"example.org", "443"},
		"1.2.3.4:99":         {"1.2.3.4", "99"},
		"[2001:db8::1]":      {"[2001:db8::1]", ""},
		"[2001:db8::1]:8448": {"[2001:db8::1]", "8448"},
	} {
		t.Run(name, func(t *testing.T) {
			n := matrixtest.ServerName(t, name)
			if n.Host() != want[0] || n.Port() != want[1] {
				t.Errorf("%q: host %q port %q, want %q", name, n.Host(), n.Port(), want)
			}
			_, isIP := n.IP()
			if wantIP := name != "example.org" && name != "example.org:443"; isIP != wantIP {
				t.Errorf("%q: an IP literal: %v, want %v", name, isIP, wantIP)
			}
		})
	}
	if matrixtest.ServerName(t, "example.org") == matrixtest.ServerName(t, "example.org:443") || matrixtest.ServerName(t, "a.org") == matrixtest.ServerName(t, "A.org") {
		t.Error("got that names which differ by a port or by case are equal, want that names compare exactly")
	}
}

func TestParseUserID(t *testing.T) {
	for id, server := range map[string]string{
		"@alice:example.org":                  "example.org",
		"@alice:example.org:8448":             "example.org:8448",
		"@alice:[::1]:8448":                   "[::1]:8448",
		"@:example.org":                       "example.org", // old accounts have ids like this: the localpart is empty
		"@Ünï cödé/+=#:example.org":           "example.org", // old accounts have ids like this: with spaces, signs, and letters outside of ASCII
		"@" + strings.Repeat("a", 252) + ":b": "b",
	} {
		t.Run(id, func(t *testing.T) {
			u, err := matrix.ParseUserID(id)
			if err != nil || u.String() != id || u.Server().String() != server {
				t.Errorf("ParseUserID(%q): got %q of %q, %v, want the same of %q", id, u, u.Server(), err, server)
			}
		})
	}
	for _, id := range []string{
		"", "@", "alice:example.org", "@alice", "@alice:", "@alice:exa mple", "@al\x00ice:example.org", "@al\xffice:example.org",
		"@a:b:c", "@" + strings.Repeat("a", 253) + ":b",
	} {
		t.Run(fmt.Sprintf("%.40q", id), func(t *testing.T) {
			if u, err := matrix.ParseUserID(id); err == nil || !u.IsZero() || !u.Server().IsZero() {
				t.Errorf("ParseUserID(%q): got %q, %v, want an error", id, u, err)
			}
		})
	}
}

func TestParseOtherIDs(t *testing.T) {
	parsers := map[string]func(string) (string, error){
		"room":   func(s string) (string, error) { v, err := matrix.ParseRoomID(s); return v.String(), err },
		"device": func(s string) (string, error) { v, err := matrix.ParseDeviceID(s); return v.String(), err },
		"slot":   func(s string) (string, error) { v, err := matrix.ParseSlotID(s); return v.String(), err },
		"member": func(s string) (string, error) { v, err := matrix.ParseMemberID(s); return v.String(), err },
	}
	long := strings.Repeat("x", 254)
	for what, ids := range map[string][]string{
		"room":   {"!abc:example.org", "!gIpOlaUSrXBmgtveWK:call.ems.host", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "!" + long},
		"device": {"DEVICE123", "a:b", "ü", long + "x"},
		"slot":   {"m.call#ROOM", "slot1234"},
		"member": {"memberABC", "@alice:example.org:DEVICE"},
	} {
		t.Run(what, func(t *testing.T) {
			for _, id := range ids {
				if got, err := parsers[what](id); err != nil || got != id {
					t.Errorf("%s %q: got %q, %v, want the same", what, id, got, err)
				}
			}
		})
	}
	for what, ids := range map[string][]string{
		"room":   {"", "!", "#alias:example.org", "abc", "!a\x00", "!a\xff", "!" + long + "x"},
		"device": {"", "a\x00", "\xff", long + "xx"},
		"slot":   {"", long + "xx"},
		"member": {"", long + "xx"},
	} {
		t.Run(what, func(t *testing.T) {
			for _, id := range ids {
				if got, err := parsers[what](id); err == nil || got != "" {
					t.Errorf("%s %q: got %q, %v, want an error", what, id, got, err)
				}
			}
		})
	}
}

func TestErrorsAreClipped(t *testing.T) {
	long := strings.Repeat("é", 10_000)
	_, user := matrix.ParseUserID(long)
	_, room := matrix.ParseRoomID(long)
	_, server := matrix.ParseServerName(long)
	for _, err := range []error{user, room, server} {
		if len(err.Error()) > 300 {
			t.Errorf("got an error of %d bytes, want at most 300: %.50s…", len(err.Error()), err)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"example.org:8448", "[::1]:1", "@a:b", "@a:[::1]:1", "!a:b", "::", "[:]:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := matrix.ParseServerName(s); err == nil {
			if joined := n.Host(); n.Port() != "" && joined+":"+n.Port() != s || n.Port() == "" && joined != s {
				t.Errorf("%q: got the parts %q and %q, want all of it", s, n.Host(), n.Port())
			}
			if strings.ContainsAny(s, "/?#@ \\%\n") {
				t.Errorf("ParseServerName(%q): got no error, want one: it would change a URL", s)
			}
		}
		if u, err := matrix.ParseUserID(s); err == nil {
			if !strings.HasPrefix(s, "@") || !strings.HasSuffix(s, ":"+u.Server().String()) {
				t.Errorf("%q: got the server %q, want the text after the first colon", s, u.Server())
			}
		}
		if r, err := matrix.ParseRoomID(s); err == nil && r.String() != s {
			t.Errorf("ParseRoomID(%q): got %q, want the same", s, r)
		}
	})
}
