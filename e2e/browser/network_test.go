package browser

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// cut is how long the network of a client is away, flat for how long of that
// others get nothing from them.
const (
	cut  = 8 * time.Second
	flat = 5 * time.Second
)

// Who has no network for a moment is not thrown out.
func TestNetworkCut(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), func(s *stack.Stack) {
		lent(s)
		s.RelayMedia = true
	})
	relay := &stack.UDPRelay{Port: s.SFU.MediaPort()}
	if err := relay.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(relay.Stop)
	alice, bob := newPerson(t, s, "alice"), newPerson(t, s, "bob")
	wire := alice.throughWire()
	c := &call{t: t, stack: s, mode: stack.Compatibility, alice: alice, bob: bob}
	var hers []netip.AddrPort // where Alice's media comes from
	c.alone = func() { hers = settled(t, s, relay) }
	c.begin()

	wire.Cut()
	relay.Cut(hers)
	silent := silence(cut, alice, bob)
	wire.Restore()
	relay.Restore()
	t.Logf("silent for %v", silent)
	for i, want := range []time.Duration{flat / 2, flat} {
		if silent[i] < want {
			t.Fatalf("nobody was cut off: silent for %v, want %v and %v", silent, flat/2, flat)
		}
	}

	alice.sees(2)
	bob.sees(2)
	c.stays(20 * time.Second) // longer than the SFU takes to miss somebody
	if n := c.emptied(alice) + c.emptied(bob); n != 0 {
		t.Fatalf("got %d leaves, want 0: nobody left", n)
	}
	alice.closeTab()
	c.isSent(2 * time.Second)
}

// settling is how long a browser tries ways to the SFU that are new.
const settling = 3 * time.Second

// settled returns from where a browser sends media, once nothing is new.
func settled(t *testing.T, s *stack.Stack, relay *stack.UDPRelay) (from []netip.AddrPort) {
	t.Helper()
	since := time.Now()
	eventually(t, s, joining, "media has found its ways", func() (bool, string) {
		if now := relay.Clients(); len(now) != len(from) {
			from, since = now, time.Now()
		}
		return seen(len(from) > 0 && time.Since(since) > settling, from, nil)
	})
	return from
}

// throughWire has everything of the person's that is not media go through a
// relay of their own.
func (p *person) throughWire() *stack.TCPRelay {
	p.t.Helper()
	hosts := p.stack.Hosts()
	wire := &stack.TCPRelay{Host: p.stack.Host, Target: hosts[p.stack.Layout.ServerName]}
	if err := wire.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(wire.Stop)
	for name := range hosts {
		hosts[name] = wire.Address()
	}
	p.hosts = hosts
	return wire
}

// silence looks at what people receive for so long, and returns for how long at
// a stretch each received nothing.
func silence(d time.Duration, people ...*person) []time.Duration {
	longest, last := make([]time.Duration, len(people)), make([]media, len(people))
	began := time.Now()
	since := slices.Repeat([]time.Time{began}, len(people))
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for ; time.Since(began) < d; <-ticker.C {
		for i, p := range people {
			now, err := p.media()
			if err != nil || now.FramesDecoded != last[i].FramesDecoded || now.AudioReceived != last[i].AudioReceived {
				last[i], since[i] = now, time.Now()
			}
			longest[i] = max(longest[i], time.Since(since[i]))
		}
	}
	return longest
}
