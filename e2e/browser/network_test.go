package browser

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
)

// cut is how long Alice's client has no network. Within this time, Bob must receive
// nothing for at least flat, and Alice for at least half of flat. Otherwise the cut had
// no effect.
const (
	cut  = 8 * time.Second
	flat = 5 * time.Second
)

// TestNetworkCut checks that the service does not send the leave of a user who has no
// network for a moment.
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
	var hers []netip.AddrPort // the addresses from which Alice sends media
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
			t.Fatalf("the cut had no effect: people received nothing for %v, want at least %v and %v", silent, flat/2, flat)
		}
	}

	alice.sees(2)
	bob.sees(2)
	c.stays(20 * time.Second) // longer than the SFU takes to notice a lost participant
	if n := c.emptied(alice) + c.emptied(bob); n != 0 {
		t.Fatalf("got %d leaves, want 0: nobody left", n)
	}
	alice.closeTab()
	c.isSent(2 * time.Second)
}

// settling is how long a browser looks for new network paths to the SFU.
const settling = 3 * time.Second

// settled returns the addresses from which browsers send media. It waits until no new
// addresses appear.
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

// throughWire makes the person's browser reach the stack through a relay that only this
// person uses. Media does not go through this relay.
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

// For the duration d, silence watches what the people receive. For each person
// it returns the longest time in which nothing arrived.
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
