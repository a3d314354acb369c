package doctor

import (
	"errors"
	"net/netip"
	"testing"

	"matrixrtc-auth/doctor/instruments"
)

// TestICETCPOutside checks that doctor, from outside, ignores a private address
// if there is a public one.
func TestICETCPOutside(t *testing.T) {
	answer := func(addr string, err error) instruments.TCPAnswer {
		return instruments.TCPAnswer{Candidate: instruments.Candidate{Network: "tcp", Addr: netip.MustParseAddrPort(addr + ":7881")}, Err: err}
	}
	silent := errors.New("no answer")
	public, private := answer("203.0.113.4", nil), answer("192.168.1.5", silent)
	for name, test := range map[string]struct {
		outside bool
		answers []instruments.TCPAnswer
		want    string
	}{
		"inside":              {false, []instruments.TCPAnswer{private, public}, "ice-tcp-closed"},
		"outside":             {true, []instruments.TCPAnswer{private, public}, ""},
		"outside, none":       {true, []instruments.TCPAnswer{private}, "ice-tcp-closed"},
		"outside, closed too": {true, []instruments.TCPAnswer{private, answer("203.0.113.4", silent)}, "ice-tcp-closed"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &exam{o: Options{Outside: test.outside}}
			e.told.tcp = test.answers
			f := media{e}.iceTCP(t.Context())
			if got := nameOf(f); got != test.want {
				t.Errorf("%s: %q, want %q: %s", name, got, test.want, f.Seen)
			}
		})
	}
}
