package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	"matrixrtc-auth/doctor/engine"
)

// These are the headers in which proxies write the client's address. They are
// written as in LIVEKIT_CLIENT_ADDRESS.
const (
	forwardedFor = "x-forwarded-for"
	realIP       = "x-real-ip"
)

// invented returns an address that no client has (RFC 5737) for each header
// from which the service may take the client's address.
func (e service) invented() map[string]netip.Addr {
	all := map[string]netip.Addr{
		forwardedFor: netip.MustParseAddr("192.0.2.111"),
		realIP:       netip.MustParseAddr("198.51.100.111"),
	}
	if own := e.look.Config.ClientAddress; own != "" && !all[own].IsValid() {
		all[own] = netip.MustParseAddr("203.0.113.111")
	}
	return all
}

// clientAddress warns if the service does not learn the address of a client
// behind the proxy. It returns a fault if a client can make the service believe
// another address.
func (e service) clientAddress(ctx context.Context) engine.Finding {
	var s serviceStatus
	key := e.look.Config.Keys[0]
	invented := e.invented()
	header := http.Header{}
	for name, addr := range invented {
		header.Set(name, addr.String())
	}
	// An error means that doctor learns nothing from this request. Perhaps the
	// proxy refuses invented addresses, and then no client can forge its address.
	refusal, refused := askStatus(ctx, e.look.Network, e.serviceURL(), key, header, &s)
	for name, addr := range invented {
		if refused == nil && s.Client.Address == addr {
			return e.forged(name, invented, &s)
		}
	}
	r, err := askStatus(ctx, e.look.Network, e.serviceURL(), key, nil, &s)
	switch {
	case err != nil:
		return na("GET %s/_status: %s; another process than the one here may have answered", e.serviceURL(), r)
	case !s.Client.ViaProxy && e.trusts(s.Client.Address):
		return e.lost(&s, "and no header told it")
	case !s.Client.ViaProxy && e.at.Scheme == "https": // the request came over TLS, which this service does not speak, so it came through a proxy
		return e.lost(&s, "the proxy's address, which is not in LIVEKIT_TRUSTED_PROXIES")
	case refused != nil:
		return ok("through the proxy we are %s, and invented headers are answered with %s", s.Client.Address, refusal)
	}
	return ok("through the proxy we are %s, whatever headers we invent", s.Client.Address)
}

// lost returns the finding that the service takes the proxy's address for that
// of the client.
func (e service) lost(s *serviceStatus, why string) engine.Finding {
	v := e.serviceVars()
	v["proxy"] = s.Client.Address.String()
	return found("client-address-lost", v, "through the proxy we are %s, %s", s.Client.Address, why)
}

// forged returns the finding that the service believed an invented address.
// doctor sent this address, as a client can, in the header with this name. If
// the proxy always writes another header itself, the remedy puts that header
// into LIVEKIT_CLIENT_ADDRESS.
func (e service) forged(name string, invented map[string]netip.Addr, s *serviceStatus) engine.Finding {
	v := e.serviceVars()
	v["header"] = http.CanonicalHeaderKey(name)
	seen := func(cause string) engine.Finding {
		return found(cause, v, "we sent %s: %s, and the service took that for our address", v["header"], invented[name])
	}
	if v["other"] = e.proxysOwn(invented, s); v["other"] == "" {
		return seen("client-address-passed")
	}
	return seen("client-address-forged")
}

// proxysOwn returns a header that the proxy always writes itself, as
// LIVEKIT_CLIENT_ADDRESS spells it; "" if there is none. X-Forwarded-For counts
// only if its last address is not a trusted proxy. Otherwise the service would
// use an earlier address, which a client can have written.
func (e service) proxysOwn(invented map[string]netip.Addr, s *serviceStatus) string {
	told := func(name string) bool {
		addr := s.Client.Headers[name]
		return addr.IsValid() && addr != invented[name]
	}
	switch {
	case told(realIP):
		return realIP
	case told(forwardedFor) && !e.trusts(s.Client.Headers[forwardedFor]):
		return forwardedFor
	}
	return ""
}

// trusts reports whether an address is within LIVEKIT_TRUSTED_PROXIES.
func (e service) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(e.look.Config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}
