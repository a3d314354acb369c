package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// candidates judges the addresses at which the SFU says that it receives
// media.
func (e media) candidates(ctx context.Context) engine.Finding {
	m, _ := e.told.get()
	f := e.judgeCandidates(ctx, m.Candidates)
	for _, c := range m.Candidates {
		f = f.In(c.Addr.Addr().String())
	}
	return f
}

// judgeCandidates returns a fault if clients on the internet can use none of
// the addresses in list. It returns a fault if the list is empty, if all its
// addresses are private or Docker's, or if its public addresses are outdated.
// It returns a warning if the list has Docker's addresses beside public ones.
func (e media) judgeCandidates(ctx context.Context, list []instruments.Candidate) engine.Finding {
	v := engine.Vars{"sfu": e.sfuAt}
	public := e.publicSFUs(ctx)
	forAll := len(public) > 0
	if len(list) == 0 {
		return found("candidates-none", v, "LiveKit named no address for media")
	}
	for _, some := range [][]instruments.Candidate{list, e.in4(list, public)} {
		switch {
		case forAll && len(some) > 0 && onlyBridges(some):
			return found("candidates-docker", v, "LiveKit takes media at %s", listed(list))
		case forAll && len(some) > 0 && !hasPublic(some):
			return found("candidates-private", v, "LiveKit takes media at %s", listed(list))
		}
	}
	if f := e.elsewhere(ctx, list, public); isFault(f) {
		return f
	}
	switch {
	case hasPublic(list) && hasBridge(list):
		return found("candidates-bridge-too", v, "LiveKit takes media at %s", listed(list))
	case onlyPublic(list):
		return ok("LiveKit takes media at %s; clients in the same network reach it only if the router forwards its own public address back inside", listed(list))
	}
	return ok("LiveKit takes media at %s", listed(list))
}

// in4 returns the IPv4 candidates in list, or none if the SFU's name has no
// public IPv4 address. Clients without IPv6 can use only these candidates.
func (e media) in4(list []instruments.Candidate, public []netip.Addr) []instruments.Candidate {
	if !slices.ContainsFunc(public, netip.Addr.Is4) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list), func(c instruments.Candidate) bool { return !c.Addr.Addr().Unmap().Is4() })
}

// elsewhere returns a finding if the public IPv4 addresses that the SFU names
// for media are outdated. They are outdated if none of them answers, and none
// is an address of the SFU's name. elsewhere returns no fault if Cloudflare is
// in front of the SFU, because then the addresses always differ.
func (e media) elsewhere(ctx context.Context, list []instruments.Candidate, public []netip.Addr) engine.Finding {
	named := e.in4(list, public)
	named = slices.DeleteFunc(named, func(c instruments.Candidate) bool { return !isPublicCandidate(c) })
	_, tcp := e.told.get()
	answers := func(a instruments.TCPAnswer) bool {
		return a.Err == nil && slices.ContainsFunc(named, func(c instruments.Candidate) bool { return c.Addr.Addr() == a.Candidate.Addr.Addr() })
	}
	same := func(c instruments.Candidate) bool { return slices.Contains(public, c.Addr.Addr().Unmap()) }
	if len(named) == 0 || slices.ContainsFunc(named, same) || slices.ContainsFunc(tcp, answers) || e.behindCloudflare(ctx) {
		return engine.Finding{}
	}
	v := engine.Vars{"sfu": e.sfuAt, "host": e.sfuURL().Hostname(), "address": named[0].Addr.Addr().String()}
	return found("candidates-elsewhere", v, "LiveKit takes media at %s, where nothing answers; %s leads to %s", listed(list), v["host"], listed(public))
}

// behindCloudflare reports whether Cloudflare forwards requests to LiveKit. All
// answers of Cloudflare have the header CF-Ray.
func (e media) behindCloudflare(ctx context.Context) bool {
	r, err := e.look.Ask(ctx, instruments.Question{Method: http.MethodGet, URL: e.publicSFU() + "/"})
	return err == nil && r.Header.Get("Cf-Ray") != ""
}

// publicSFUs returns the public addresses of the SFU's name. If there are any,
// clients can come from the internet.
func (e media) publicSFUs(ctx context.Context) []netip.Addr {
	u := e.sfuURL()
	if u == nil {
		return nil
	}
	addrs, _ := e.look.Addresses(ctx, u.Hostname(), instruments.PortOf(u.Port(), u.Scheme)) // there are no addresses if the name does not exist
	return slices.DeleteFunc(addrs, func(addr netip.Addr) bool { return !instruments.IsPublic(addr) })
}

// bridges is the network from which Docker takes the addresses of containers.
var bridges = netip.MustParsePrefix("172.16.0.0/12")

func isBridge(c instruments.Candidate) bool { return bridges.Contains(c.Addr.Addr()) }

func hasBridge(list []instruments.Candidate) bool { return count(list, isBridge) > 0 }

func onlyBridges(list []instruments.Candidate) bool { return count(list, isBridge) == len(list) }

func hasPublic(list []instruments.Candidate) bool { return count(list, isPublicCandidate) > 0 }

func onlyPublic(list []instruments.Candidate) bool {
	return count(list, isPublicCandidate) == len(list)
}

func isPublicCandidate(c instruments.Candidate) bool { return instruments.IsPublic(c.Addr.Addr()) }

func count(list []instruments.Candidate, is func(instruments.Candidate) bool) (n int) {
	for _, c := range list {
		if is(c) {
			n++
		}
	}
	return n
}
