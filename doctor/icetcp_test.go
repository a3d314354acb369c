package doctor

import (
	"errors"
	"net/netip"
	"testing"
)

// TestICETCPOutside: a private address does not count from outside if there is
// a public one.
func TestICETCPOutside(t *testing.T) {
	answer := func(addr string, err error) tcpAnswer {
		return tcpAnswer{Candidate{"tcp", netip.MustParseAddrPort(addr + ":7881")}, err}
	}
	silent := errors.New("no answer")
	public, private := answer("203.0.113.4", nil), answer("192.168.1.5", silent)
	for name, test := range map[string]struct {
		outside bool
		answers []tcpAnswer
		want    string
	}{
		"inside":              {false, []tcpAnswer{private, public}, "ice-tcp-closed"},
		"outside":             {true, []tcpAnswer{private, public}, ""},
		"outside, none":       {true, []tcpAnswer{private}, "ice-tcp-closed"},
		"outside, closed too": {true, []tcpAnswer{private, answer("203.0.113.4", silent)}, "ice-tcp-closed"},
	} {
		e := &exam{o: Options{Outside: test.outside}}
		e.joined.tcp = test.answers
		f := e.iceTCP(t.Context())
		if got := nameOf(f); got != test.want {
			t.Errorf("%s: %q, want %q: %s", name, got, test.want, f.Seen)
		}
	}
}
