package doctor

import (
	"net/netip"
	"os"
	"syscall"
	"testing"

	"matrixrtc-auth/doctor/instruments"
)

// TestJudgeReach checks that doctor reports addresses that certainly are wrong.
// It must not report addresses that this machine cannot judge.
func TestJudgeReach(t *testing.T) {
	answers := error(nil)
	silent := error(os.ErrDeadlineExceeded)
	noIPv6 := error(os.NewSyscallError("connect", syscall.ENETUNREACH))
	type tried struct {
		addr string
		err  error
	}
	for name, test := range map[string]struct {
		tried           []tried
		inside, outside string
		dead            string // the address that the remedy names if doctor runs inside the server's network
	}{
		"all answer":                      {[]tried{{"10.0.0.3", answers}, {"203.0.113.3", answers}}, "", "", ""},
		"the private one answers":         {[]tried{{"10.0.0.3", answers}, {"203.0.113.3", silent}}, "hairpin", "dead-address", ""},
		"the private one alone does not":  {[]tried{{"10.0.0.3", silent}, {"203.0.113.3", answers}}, "dead-address", "dead-address", "10.0.0.3"},
		"one private one of two does not": {[]tried{{"10.0.0.3", answers}, {"10.0.0.9", silent}, {"203.0.113.3", silent}}, "dead-address", "dead-address", "10.0.0.9"},
		"one public one of two does not":  {[]tried{{"203.0.113.3", answers}, {"203.0.113.9", silent}}, "dead-address", "dead-address", "203.0.113.9"},
		"IPv6 does not":                   {[]tried{{"10.0.0.3", answers}, {"2001:db8::3", silent}}, "dead-ipv6", "dead-ipv6", ""},
		"IPv6 does not, nor the public":   {[]tried{{"10.0.0.3", answers}, {"203.0.113.3", silent}, {"2001:db8::3", silent}}, "dead-ipv6", "dead-ipv6", ""},
		"no IPv6 here":                    {[]tried{{"203.0.113.3", answers}, {"2001:db8::3", noIPv6}}, "", "", ""},
		"IPv6 alone, which is not here":   {[]tried{{"2001:db8::3", noIPv6}}, "ipv6-only", "ipv6-only", ""},
		"the public one does not":         {[]tried{{"203.0.113.3", silent}, {"2001:db8::3", noIPv6}}, "hairpin", "service-closed", ""},
		"the private one does not":        {[]tried{{"10.0.0.3", silent}}, "service-closed", "address-private", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var attempts []instruments.Attempt
			for _, a := range test.tried {
				attempts = append(attempts, instruments.Attempt{Addr: netip.MustParseAddr(a.addr), Err: a.err})
			}
			for outside, want := range map[bool]string{false: test.inside, true: test.outside} {
				e := &exam{o: Options{Outside: outside}}
				f := e.judgeReach(place{"service", "https", "jwt.example.org", "443"}, attempts)
				if got := nameOf(f); got != want {
					t.Errorf("%s, outside %v: %q, want %q: %s", name, outside, got, want, f.Seen)
				}
				if dead := f.Vars["address"]; !outside && test.dead != "" && dead != test.dead {
					t.Errorf("%s: %s is named, want %s", name, dead, test.dead)
				}
			}
		})
	}
}
