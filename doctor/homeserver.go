package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
)

// homeserver has the checks of one homeserver, and what they have found out
// about it.
type homeserver struct {
	*exam
	name     matrix.ServerName
	document *clientWellKnown // the well-known document, .well-known/matrix/client
	destiny  matrix.Destination
	kind     kind   // which program the homeserver says that it is; zero if it says nothing
	base     string // the URL of the Client-Server API, without a slash at the end
	versions versions
}

// steps returns the checks of one homeserver. If the operator set the URL of
// the Client-Server API, the checks do not take it from the well-known
// document.
func (h *homeserver) steps() []engine.Step {
	overridden := h.override() != nil
	user := h.o.User.Server() == h.name
	return []engine.Step{
		{ID: "homeserver.addresses", Run: h.apexAddresses},
		{ID: "homeserver.tls", Needs: "homeserver.addresses", Run: h.apexTLS},
		{ID: "homeserver.wellknown", Needs: "homeserver.tls", Run: h.wellKnown},
		// The first well-known document that names a service decides which
		// service doctor checks. So doctor reads the servers' documents in order.
		{ID: "homeserver.foci", Needs: "homeserver.wellknown", After: "homeserver.foci", Run: h.foci},
		{ID: "homeserver.base_url", Needs: unless(overridden, "homeserver.wellknown"), Run: h.baseURL},
		{ID: "homeserver.wellknown_copy", Needs: "homeserver.foci homeserver.base_url", Run: h.wellKnownCopy},
		{ID: "homeserver.discovery", Run: h.discovery},
		{ID: "homeserver.userinfo", Needs: "homeserver.discovery", Run: h.userinfo},
		{ID: "homeserver.identity", Needs: "homeserver.discovery", Run: h.identity},
		{ID: "homeserver.client_addresses", Needs: "homeserver.base_url", Run: h.clientAddresses},
		{ID: "homeserver.client_tls", Needs: "homeserver.client_addresses", Run: func(ctx context.Context) engine.Finding {
			return h.certificate(ctx, h.clientPlace())
		}},
		{ID: "homeserver.versions", Needs: "homeserver.client_tls", Run: h.askVersions},
		{ID: "homeserver.delayed_events", Needs: "homeserver.versions", After: "homeserver.identity", Run: h.delayedEvents},
		{ID: "homeserver.delayed_route", Needs: "homeserver.delayed_events", Run: h.delayedRoute},
		{ID: "homeserver.client_public", Needs: "homeserver.wellknown homeserver.delayed_route", Unless: !overridden, Run: h.clientPublic},
		// This check runs after homeserver.wellknown, because it compares the
		// transports with the well-known document, if there is one. It runs after
		// homeserver.identity, because its remedy depends on the homeserver's program.
		{ID: "homeserver.transports", Needs: "homeserver.versions", After: "homeserver.wellknown homeserver.identity", Run: h.transports},
		{ID: "homeserver.legacy_turn", Needs: "homeserver.versions", Unless: !user, Run: h.legacyTURN},
		{ID: "homeserver.delayed_schedule", Needs: "homeserver.delayed_route", Unless: !user || h.o.Room == "",
			Grace: scheduleTime + cancelTime, Run: h.delayedSchedule},
	}
}

// apexPlace returns the place from which clients get the well-known document.
// That is port 443 of the server name's host, even if the server name has
// a different port (Client-Server API, "Well-known URI").
func (h *homeserver) apexPlace() place {
	return place{"apex", "https", strings.Trim(h.name.Host(), "[]"), instruments.PortOf("", "https")}
}

func (h *homeserver) apexAddresses(ctx context.Context) engine.Finding {
	return h.reach(ctx, h.apexPlace())
}

func (h *homeserver) apexTLS(ctx context.Context) engine.Finding {
	return h.certificate(ctx, h.apexPlace())
}

// resolver returns a resolver that finds homeservers in the same way as the
// running service.
func (h *homeserver) resolver() *matrix.Resolver {
	c := h.look.Config
	transport := &outbound.Transport{Dial: h.look.DialHost, TLS: h.look.TLS("")}
	transport.TLS.InsecureSkipVerify = c.InsecureSkipVerifyTLS
	return &matrix.Resolver{
		Overrides: c.FederationURLs,
		DNS:       h.look.SRV,
		Servers:   matrix.Servers{Named: func(matrix.ServerName) bool { return true }, NamedTransport: transport},
	}
}

// discovery reports where the federation API is, and how doctor found that.
func (h *homeserver) discovery(ctx context.Context) engine.Finding {
	d, err := h.resolver().Resolve(ctx, h.name, netip.Prefix{})
	if err != nil {
		return found("unfinished", engine.Vars{"check": "homeserver.discovery"}, "%s", reason(err))
	}
	h.destiny = d
	proof := "certificate for " + clip(d.TLSName)
	if d.Scheme == "http" {
		proof = "without TLS"
	}
	return ok("%s://%s, %s: %s", d.Scheme, clip(strings.Join(d.Addrs, " ")), proof, h.howFound())
}

// howFound returns a text that says how the address of the federation API was
// found, and which records were missing.
func (h *homeserver) howFound() string {
	d := h.destiny
	how := foundBy(d.FoundBy, clip(d.Host))
	if d.FoundBy == matrix.FoundByDefault && d.Gap != "" {
		how = "neither .well-known/matrix/server nor DNS gave a good answer, so it is port 8448"
	}
	if d.Note != "" {
		how += " (" + clip(d.Note) + ")"
	}
	return how
}

// foundBy returns a text that says which step of discovery named the address.
// host is the name to which .well-known/matrix/server leads.
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

// delegation returns the name of the setting or record that says where the
// federation API is. If that address is wrong, the remedy names this setting or
// record.
func (h *homeserver) delegation() string {
	name, host := h.name.String(), clip(h.destiny.Host)
	switch h.destiny.FoundBy {
	case matrix.FoundByOverride:
		return "the value of LIVEKIT_FEDERATION_URL_OVERRIDES"
	case matrix.FoundByName:
		return "the server name " + name + ", which is itself the address"
	case matrix.FoundByWellKnownSRV:
		return "the SRV record _matrix-fed._tcp or _matrix._tcp of " + host + ", the name in .well-known/matrix/server of " + name
	case matrix.FoundByWellKnown:
		return ".well-known/matrix/server of " + name + ", which names " + host + h.withoutPort()
	case matrix.FoundBySRV:
		return "the SRV record _matrix-fed._tcp or _matrix._tcp of " + name + " (a file .well-known/matrix/server has priority over this record)"
	}
	return "the file .well-known/matrix/server of " + name + " (it is missing, so this service asks port 8448)"
}

// nobodysToken is an OpenID token that no homeserver issued.
const nobodysToken = "matrixrtc-auth-doctor"

const maxUserInfo = 64 << 10

// userinfo asks the homeserver to which user an OpenID token belongs, as the
// service does for every call. It sends a token that does not exist, so the
// right answer is an error that says this.
func (h *homeserver) userinfo(ctx context.Context) engine.Finding {
	f := h.throughGap(ctx, h.askUserinfo(ctx))
	if h.o.Outside && h.destiny.FoundBy == matrix.FoundByDefault && isUnreachable(f) {
		// A homeserver without federation may be on the same machine as this
		// service. Then nobody needs port 8448.
		return found("not-federated", engine.Vars{"server": h.name.String(), "address": clip(h.destiny.Host)}, "%s", f.Seen).In(f.At...)
	}
	return f
}

// askUserinfo sends the request for userinfo to the homeserver's addresses in
// turn, until one answers.
func (h *homeserver) askUserinfo(ctx context.Context) (seen engine.Finding) {
	transport := h.resolver().NamedTransport
	target := h.destiny.Path + "/_matrix/federation/v1/openid/userinfo?access_token=" + nobodysToken
	for _, addr := range h.destiny.Addrs {
		route := outbound.Route{Scheme: h.destiny.Scheme, Addr: addr, TLSName: h.destiny.TLSName}
		answer, _, err := transport.Get(ctx, route, h.destiny.Host, target, maxUserInfo)
		if err == nil {
			first := instruments.Reply{Status: answer.Status, Body: answer.Body}
			return h.judgeUserinfo(ctx, addr, h.again(ctx, route, target, first)).In(strings.ToLower(addr))
		}
		seen = h.userinfoFailure(addr, err).In(strings.ToLower(addr))
	}
	return seen
}

// isUnreachable reports whether the finding says that nothing answered.
func isUnreachable(f engine.Finding) bool {
	return f.Cause != nil && (f.Cause.ID == "federation-dns" || f.Cause.ID == "federation-unreachable")
}

// again repeats a request that got a bad answer, because some faults last only
// for a moment. The headers of the second answer show which program answers.
func (h *homeserver) again(ctx context.Context, route outbound.Route, target string, first instruments.Reply) instruments.Reply {
	if first.Status == http.StatusUnauthorized && first.ErrCode() == "M_UNKNOWN_TOKEN" {
		return first
	}
	second, err := h.look.AskAt(ctx, route, h.destiny.Host, target, h.look.Config.InsecureSkipVerifyTLS)
	if err != nil {
		return first
	}
	if second.Before == 0 {
		second.Before = first.Status
	}
	return second
}

func (h *homeserver) judgeUserinfo(ctx context.Context, addr string, r instruments.Reply) engine.Finding {
	v := engine.Vars{"server": h.name.String(), "address": clip(addr), "host": clip(addr), "delegation": h.delegation(), "leads": h.delegation()}
	other := stranger(askedHomeserver, r, v, clip(addr)+":")
	switch {
	case r.Status == http.StatusUnauthorized && r.ErrCode() == "M_UNKNOWN_TOKEN":
		return steady(askedHomeserver, r, v, ok("%s: %s, as it should be", clip(addr), r))
	case isFault(other):
		return other
	case r.Status == http.StatusTooManyRequests:
		return found("homeserver-limits", v, "%s: %s", clip(addr), r)
	case r.Status == http.StatusNotFound && h.isLiveKit(ctx, h.destiny.Scheme+"://"+addr):
		return found("livekit-instead", v.Or(engine.Vars{"who": askedHomeserver.name}), "%s: %s, and GET / answers OK, as LiveKit does", clip(addr), r)
	case r.Status == http.StatusForbidden:
		return found("federation-off", v, "%s: %s", clip(addr), r)
	case r.Status == http.StatusNotFound && r.From().Party != instruments.Website:
		return found("openid-not-served", v, "%s: %s", clip(addr), r)
	}
	return found("openid-strange", v, "%s: %s", clip(addr), r)
}

// userinfoFailure returns the finding that the request to userinfo got no
// answer.
func (h *homeserver) userinfoFailure(addr string, err error) engine.Finding {
	v := engine.Vars{"server": h.name.String(), "address": clip(addr), "delegation": h.delegation()}
	if host, _, _ := net.SplitHostPort(addr); instruments.IsDNSBroken(err) {
		v["host"] = clip(host)
		return found("dns-broken", v, "%s: %s", clip(addr), reason(err))
	}
	if f := uncertified(askedHomeserver, err, v.Or(engine.Vars{"host": clip(addr)}), clip(addr)+":"); isFault(f) {
		return f
	}
	_, unconnected := errors.AsType[*outbound.DialError](err)
	switch cause := outbound.Cause(err); {
	case cause == outbound.CauseTimeout && !unconnected:
		return found("homeserver-silent", v, "%s: %s", clip(addr), reason(err))
	case cause == outbound.CauseDNS:
		return found("federation-dns", v, "%s: %s", clip(addr), reason(err))
	case cause == outbound.CauseTLS:
		return found("federation-tls", v, "%s: %s", clip(addr), reason(err))
	case cause == outbound.CauseProtocol, cause == outbound.CauseTooLarge:
		return found("openid-strange", v, "%s: %s", clip(addr), reason(err))
	}
	return found("federation-unreachable", v, "%s: %s", clip(addr), reason(err))
}

// baseURL finds the URL of the Client-Server API: the one that the operator
// set, or the one that clients find. If clients find a URL with http://, that
// is a fault, and doctor sends no access token there.
func (h *homeserver) baseURL(_ context.Context) engine.Finding {
	if override := h.override(); override != nil {
		h.base = strings.TrimRight(override.String(), "/")
		return ok("%s, by LIVEKIT_CS_API_URL_OVERRIDES", h.base)
	}
	h.base = strings.TrimRight(h.document.Homeserver.BaseURL, "/")
	return h.judgeBaseURL()
}

// judgeBaseURL returns a finding about the URL of the Client-Server API in the
// well-known document.
func (h *homeserver) judgeBaseURL() engine.Finding {
	v := engine.Vars{"server": h.name.String()}
	raw := h.document.Homeserver.BaseURL
	if raw == "" && h.document.nested[homeserverKey] != "" {
		return h.nestedKey(homeserverKey)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return found("base-url", v, "m.homeserver.base_url is %q", clip(raw))
	}
	if u.Scheme == "http" && !isLocal(u.Hostname()) {
		return found("base-url-http", v, "m.homeserver.base_url is %q", clip(raw))
	}
	if isPlaceholder(u.Hostname(), h.name.Host()) {
		v["url"] = clip(raw)
		return found("base-url-example", v, "m.homeserver.base_url is %q", clip(raw))
	}
	return ok("%s", clip(strings.TrimRight(raw, "/")))
}
