package doctor

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
)

// homeserver looks at one homeserver. It returns the check that learns where
// clients reach this service.
func (e *exam) homeserver(s *server) (foci *Check) {
	on := func(id string, run func(context.Context, *server) Finding, needs ...*Check) *Check {
		return e.addTo(s, &Check{ID: "homeserver." + id, Needs: needs, Run: func(ctx context.Context) Finding { return run(ctx, s) }})
	}
	addresses := on("addresses", e.apexAddresses)
	certificate := on("tls", e.apexTLS, addresses)
	document := on("wellknown", e.wellKnown, certificate)
	foci = on("foci", e.foci, document)
	base := on("base_url", e.baseURL, e.unlessOverridden(s, document))
	on("wellknown_copy", e.wellKnownCopy, foci, base)
	if !e.o.Outside {
		discovery := on("discovery", e.discovery)
		on("userinfo", e.userinfo, discovery)
	}
	versions := on("versions", e.askVersions, base)
	delayed := on("delayed_events", e.delayedEvents, versions)
	route := on("delayed_route", e.delayedRoute, delayed)
	on("transports", e.transports, versions).After = []*Check{document} // to compare with, if it is there
	e.withToken(s, on, versions, route)
	return foci
}

// unlessOverridden is the need of the document that says where the
// Client-Server API is: nobody asks it where the operator has said that.
func (e *exam) unlessOverridden(s *server, document *Check) *Check {
	if _, there := e.look.Config.ClientURLs[s.name]; there {
		return nil
	}
	return document
}

// withToken adds what takes the access token of one of the server's users.
func (e *exam) withToken(s *server, on func(string, func(context.Context, *server) Finding, ...*Check) *Check, versions, route *Check) {
	if e.o.User.Server() != s.name {
		return
	}
	on("legacy_turn", e.legacyTURN, versions)
	if e.o.Room != "" {
		on("delayed_schedule", e.delayedSchedule, route).Grace = scheduleTime + cancelTime
	}
}

// apexPlace is where clients look for the well-known document: the host of the
// server name, and HTTPS's own port whatever port the name has (Client-Server
// API, "Well-known URI").
func apexPlace(s *server) place {
	return place{"apex", "https", strings.Trim(s.name.Host(), "[]"), portOf("", "https")}
}

func (e *exam) apexAddresses(ctx context.Context, s *server) Finding {
	return e.reach(ctx, apexPlace(s))
}
func (e *exam) apexTLS(ctx context.Context, s *server) Finding {
	return e.certificate(ctx, apexPlace(s))
}

// resolver discovers servers as the running service does.
func (e *exam) resolver() *matrix.Resolver {
	c := e.look.Config
	transport := &outbound.Transport{Dial: e.look.dial, TLS: e.look.tlsConfig("")}
	transport.TLS.InsecureSkipVerify = c.InsecureSkipVerifyTLS
	return &matrix.Resolver{
		Overrides: c.FederationURLs,
		DNS:       e.look.SRV,
		Servers:   matrix.Servers{Named: func(matrix.ServerName) bool { return true }, NamedTransport: transport},
	}
}

// discovery tells where the federation API is, and how that was found.
func (e *exam) discovery(ctx context.Context, s *server) Finding {
	d, err := e.resolver().Resolve(ctx, s.name, netip.Prefix{})
	if err != nil {
		return found("unfinished", vars{"check": "homeserver.discovery"}, "%s", reason(err))
	}
	s.destiny = d
	return ok("%s://%s, certificate for %s: %s", d.Scheme, clip(strings.Join(d.Addrs, " ")), clip(d.TLSName), steps(s))
}

// steps tells how a server's destination was found, and what was not there.
func steps(s *server) string {
	d := s.destiny
	how := foundBy(d.FoundBy, clip(d.Host))
	if d.Note != "" {
		how += " (" + clip(d.Note) + ")"
	}
	return how
}

// foundBy says how a destination was found; host is what its server calls itself.
func foundBy(how matrix.FoundBy, host string) string {
	switch how {
	case matrix.FoundByOverride:
		return "LIVEKIT_FEDERATION_URL_OVERRIDES says so"
	case matrix.FoundByName:
		return "the name itself says so"
	case matrix.FoundByWellKnownSRV:
		return ".well-known/matrix/server names " + host + ", and that has a SRV record"
	case matrix.FoundByWellKnown:
		return ".well-known/matrix/server names " + host
	case matrix.FoundBySRV:
		return "a SRV record says so"
	}
	return "there is no delegation and no SRV record, so it is port 8448"
}

// nobodysToken is an OpenID token that nobody was given.
const nobodysToken = "matrixrtc-auth-doctor"

const maxUserInfo = 64 << 10

// userinfo asks whose an unknown OpenID token is, as for every call: the right
// answer is that nobody knows.
func (e *exam) userinfo(ctx context.Context, s *server) Finding {
	transport := e.resolver().NamedTransport
	target := s.destiny.Path + "/_matrix/federation/v1/openid/userinfo?access_token=" + nobodysToken
	var seen Finding
	for _, addr := range s.destiny.Addrs {
		route := outbound.Route{Scheme: s.destiny.Scheme, Addr: addr, TLSName: s.destiny.TLSName}
		answer, _, err := transport.Get(ctx, route, s.destiny.Host, target, maxUserInfo)
		if err == nil {
			return judgeUserinfo(s, addr, reply{status: answer.Status, body: answer.Body})
		}
		seen = e.userinfoFailure(s, addr, err)
	}
	return seen
}

func judgeUserinfo(s *server, addr string, r reply) Finding {
	v := vars{"server": s.name.String(), "address": clip(addr)}
	switch {
	case r.status == http.StatusUnauthorized && r.errcode() == "M_UNKNOWN_TOKEN":
		return ok("%s: %s, as it should be", clip(addr), r)
	case r.status == http.StatusForbidden:
		return found("federation-off", v, "%s: %s", clip(addr), r)
	case r.status == http.StatusNotFound:
		return found("openid-not-served", v, "%s: %s", clip(addr), r)
	}
	return found("openid-strange", v, "%s: %s", clip(addr), r)
}

// userinfoFailure names why no answer came.
func (e *exam) userinfoFailure(s *server, addr string, err error) Finding {
	v := vars{"server": s.name.String(), "address": clip(addr)}
	if host, _, _ := net.SplitHostPort(addr); isDNSBroken(err) {
		v["host"] = clip(host)
		return found("dns-broken", v, "%s: %s", clip(addr), reason(err))
	}
	switch outbound.Cause(err) {
	case outbound.CauseDNS:
		return found("federation-dns", v, "%s: %s", clip(addr), reason(err))
	case outbound.CauseTLS:
		return found("federation-tls", v, "%s: %s", clip(addr), reason(err))
	case outbound.CauseProtocol, outbound.CauseTooLarge:
		return found("openid-strange", v, "%s: %s", clip(addr), reason(err))
	}
	return found("federation-unreachable", v, "%s: %s", clip(addr), reason(err))
}

// baseURL learns where the Client-Server API is: as the operator says, or as
// clients are told. Nobody's access token goes over the network in clear because
// a document says so.
func (e *exam) baseURL(_ context.Context, s *server) Finding {
	if override, there := e.look.Config.ClientURLs[s.name]; there {
		s.base = strings.TrimRight(override.String(), "/")
		return ok("%s, by LIVEKIT_CS_API_URL_OVERRIDES", s.base)
	}
	v := vars{"server": s.name.String()}
	raw := s.document.Homeserver.BaseURL
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return found("base-url", v, "m.homeserver.base_url is %q", clip(raw))
	}
	if u.Scheme == "http" && !isLocal(u.Hostname()) {
		return found("base-url-http", v, "m.homeserver.base_url is %q", clip(raw))
	}
	if isPlaceholder(u.Hostname(), s.name.Host()) {
		v["url"] = clip(raw)
		return found("base-url-example", v, "m.homeserver.base_url is %q", clip(raw))
	}
	s.base = strings.TrimRight(raw, "/")
	return ok("%s", clip(s.base))
}

// versions is what /versions says.
type versions struct {
	Versions []string       `json:"versions"`
	Unstable map[string]any `json:"unstable_features"`
}

func (e *exam) askVersions(ctx context.Context, s *server) Finding {
	v := vars{"server": s.name.String(), "base": s.base}
	r, err := e.look.get(ctx, s.base+"/_matrix/client/versions")
	switch {
	case isDNSBroken(err):
		base, _ := url.Parse(s.base)
		v["host"] = clip(base.Hostname())
		return found("dns-broken", v, "%s/_matrix/client/versions: %s", clip(s.base), reason(err))
	case err != nil:
		return found("client-api-unreachable", v, "%s/_matrix/client/versions: %s", clip(s.base), reason(err))
	case r.status != http.StatusOK || json.Unmarshal(r.body, &s.versions) != nil || s.versions.Versions == nil:
		return found("client-api-strange", v, "%s/_matrix/client/versions: %s", clip(s.base), r)
	}
	return ok("%s/_matrix/client/versions answers", clip(s.base))
}
