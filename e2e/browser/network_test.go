package browser

import (
	"net/netip"
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
	restored := time.After(cut)
	alice.hearsNothing(flat / 2)
	bob.hearsNothing(flat)
	<-restored
	wire.Restore()
	relay.Restore()

	alice.sees(2)
	bob.sees(2)
	c.stays(20 * time.Second) // longer than the SFU takes to miss somebody
	if n := c.emptied(alice) + c.emptied(bob); n != 0 {
		t.Fatalf("somebody was thrown out: %d leaves", n)
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

// hearsNothing checks that at some time within the limit of a cut, nothing is
// received for so long.
func (p *person) hearsNothing(d time.Duration) {
	p.t.Helper()
	var last media
	since := time.Now()
	p.eventually(cut, p.name+" receives nothing for "+d.String(), func() (bool, string) {
		now, err := p.media()
		if err != nil || now.FramesDecoded != last.FramesDecoded || now.AudioReceived != last.AudioReceived {
			last, since = now, time.Now()
		}
		return seen(time.Since(since) >= d, now, err)
	})
}
