package doctor

import (
	"slices"
	"strings"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/engine"
)

// excuse is an [engine.Explanation].
type excuse struct{ by, causes, shows string }

// explained are the excuses as a plan has them.
func explained() map[string][]engine.Explanation {
	all := map[string][]engine.Explanation{}
	for id, list := range excuses {
		for _, x := range list {
			all[id] = append(all[id], engine.Explanation{By: x.by, Causes: x.causes, Shows: x.shows})
		}
	}
	return all
}

// What LiveKit does not start with, and how that shows in those that ask it.
const (
	unreadable = "livekit-folder livekit-file-closed livekit-yaml livekit-key-unknown"
	down       = "sfu-api-dns sfu-api-connect sfu-api-timeout sfu-behind-proxy"
)

// Groups of causes.
const (
	roomFaults  = strangers + " sfu-nodes dns-broken sfu-api-dns sfu-api-connect sfu-api-timeout sfu-api-tls sfu-create"
	apiFaults   = down + " " + strangers + " dns-broken sfu-api-tls sfu-key sfu-secret sfu-clock sfu-twirp sfu-not-livekit sfu-error"
	noTLS       = "tls-none tls-expired tls-wrong-name tls-untrusted"
	wayFaults   = strangers + " sfu-broken sfu-proxy sfu-login sfu-no-route websocket-headers"
	candidates  = "candidates-none candidates-docker candidates-private"
	mediaFaults = candidates + " media-hairpin media-closed media-no-data media-not-udp"
	otherFaults = "sfu-other sfu-other-keys query-dropped validate-not-passed"
	turnFaults  = "turn-no-address turn-closed turn-tls turn-refused"
	unverified  = strangers + " homeserver-down dns-broken federation-off openid-not-served openid-strange federation-dns federation-tls federation-unreachable not-federated"
)

// excuses says which faults show in which other checks, so that a cause is told
// once, by the check that found it. What explains most stands first.
var excuses = map[string][]excuse{
	"service.status": {{"config.environment", "config-refused", "service-down"}},
	// Without a server in the list nobody's leaves are taken over.
	"service.delegation": {{"config.full_access", "full-access-entry", "delegation-off"}},
	"public.healthz":     {{"service.status", "service-down service-stalled", "service-proxy service-broken service-ending service-no-route"}},
	"public.preflight": {
		{by: "public.cors"},
		{"public.cors", "cors-missing", "preflight-refused"},
	},
	"homeserver.userinfo": {
		{"config.warnings", "override-path", unverified},
		{"homeserver.addresses", "apex-no-address", "federation-dns not-federated"},
		{"homeserver.addresses", "apex-no-address apex-closed", "federation-unreachable federation-tls not-federated"},
		{"homeserver.tls", "apex-closed " + noTLS, "federation-unreachable federation-tls not-federated"},
	},
	"homeserver.versions": {
		{"config.warnings", "override-path", "client-api-strange"},
		{"homeserver.userinfo", "homeserver-down", "homeserver-down"},
	},
	"homeserver.delayed_schedule": {
		{by: "homeserver.delayed_route"},
		{by: "homeserver.transports"},
		{"homeserver.transports", "user-token", "delayed-events-refused"},
	},
	"sfu.api": {
		{"config.sfu_url", "former-service", apiFaults},
		{"config.sfu_url", "sfu-url-path", "sfu-twirp sfu-not-livekit sfu-error"},
		{"livekit.file", unreadable, down},
		{"livekit.keys", "livekit-webhook-key livekit-secret-file-open livekit-key-file", down},
		{"livekit.keys", "livekit-webhook-key", "sfu-key"},
		{"livekit.keys", "livekit-secret", "sfu-secret"},
		{"livekit.keys", "livekit-key-missing", "sfu-key"},
		{"livekit.ports", "livekit-ports-clash", down},
		{"livekit.turn", "turn-domain turn-certificate turn-portless", down},
		{"livekit.external_ip", "stun-blocked dns-broken", down},
	},
	"sfu.auto_create": {{"livekit.auto_create", "auto-create-setting", "auto-create"}},
	"sfu.addresses": {
		{"sfu.api", "sfu-api-dns", "sfu-no-address"},
		{"sfu.api", "sfu-api-connect", "sfu-closed"},
		{"config.sfu_url", "former-service", "sfu-no-address sfu-closed"},
		{"config.sfu_url", "sfu-url-inside sfu-url-clear", "sfu-no-address sfu-closed dns-broken"},
	},
	"sfu.tls": {{"config.sfu_url", "former-service", "sfu-closed " + noTLS}},
	"sfu.websocket": {
		{"config.sfu_url", "former-service", wayFaults},
		{"config.sfu_url", "sfu-url-inside sfu-url-clear sfu-url-path", wayFaults},
		{"sfu.api", down, "sfu-broken sfu-proxy"},
		{"sfu.api", "sfu-not-livekit", "sfu-no-route"},
	},
	"sfu.public_room": {
		{"config.sfu_url", "former-service sfu-url-inside sfu-url-clear sfu-url-path", strangers + " sfu-broken sfu-proxy sfu-no-route websocket-headers " + otherFaults},
	},
	"sfu.bare_prefix": {{"config.sfu_url", "sfu-url-path", "bare-sfu-prefix"}},
	"sfu.api_hidden": {
		{"config.sfu_url", "sfu-url-inside", "twirp-public"},
		{"sfu.websocket", "sfu-no-route sfu-login", "twirp-public"},
	},
	"sfu.ice_tcp": {
		{"livekit.ports", "livekit-tcp-off", "ice-tcp-none"},
		{"sfu.candidates", candidates + " candidates-bridge-too", "ice-tcp-none ice-tcp-closed"},
	},
	"sfu.turn": {{"livekit.turn", "turn-domain turn-certificate turn-portless", turnFaults}},
	"webhook.round_trip": {
		{"public.healthz", "listen-alone", "listen-alone"},
		{"livekit.webhook", "livekit-webhook-missing livekit-webhook-url", "webhook-missing"},
		{"livekit.keys", "livekit-webhook-key livekit-secret livekit-key-missing", "webhook-missing webhook-refused"},
	},
	"user.openid": {{by: "homeserver.transports"}},
	"user.sfu_get": {
		{"config.sfu_url", "former-service", "token-no-room sfu-url-differs"},
		{"homeserver.userinfo", unverified, "token-unauthorized"},
		{"homeserver.userinfo", "homeserver-limits proxy-limits", "homeserver-limits"},
		{"sfu.api", apiFaults, "token-no-room service-broken"},
		{"sfu.room", roomFaults, "token-no-room service-broken"},
	},
	"user.get_token": {
		{"config.sfu_url", "former-service", "token-no-room sfu-url-differs"},
		{"homeserver.userinfo", unverified, "token-unauthorized"},
		{"homeserver.userinfo", "homeserver-limits proxy-limits", "homeserver-limits"},
		{"sfu.api", apiFaults, "token-no-room service-broken"},
		{"sfu.room", roomFaults, "token-no-room service-broken"},
		{by: "user.sfu_get"},
	},
	"user.join": {
		{by: "sfu.join"},
		{"sfu.websocket", wayFaults, "join-refused"},
		{"sfu.public_room", otherFaults, "join-refused"},
		{"sfu.join", mediaFaults, mediaFaults},
	},
}

// twins look at the same place where one host serves several things.
var twins = map[string][]string{
	"public.addresses": {"homeserver.addresses"},
	"public.tls":       {"homeserver.tls"},
	"sfu.addresses":    {"homeserver.addresses", "public.addresses"},
	"sfu.tls":          {"homeserver.tls", "public.tls"},
}

// applies reports whether an excuse can be one in this deployment: what stands
// in a setting explains only what that setting leads to.
func (e *exam) applies(x engine.Explanation, s engine.Step) bool {
	switch {
	case x.By == "sfu.api" && s.ID == "sfu.addresses": // the same host, or another one
		api, public := e.look.Config.APIURL, e.sfuURL()
		return api != nil && public != nil && strings.EqualFold(api.Hostname(), public.Hostname())
	case x.Causes == "override-path":
		return e.hasAddedPath(s)
	case s.ID == "homeserver.userinfo": // an override asks nothing of the server name's host
		return !slices.ContainsFunc(e.servers, func(h *homeserver) bool {
			_, there := e.look.Config.FederationURLs[h.name]
			return there && (s.Server == "" || s.Server == h.name.String())
		})
	case x.Causes == "former-service" && s.ID == "sfu.api":
		api := e.look.Config.APIURL
		return api != nil && strings.EqualFold(api.Hostname(), config.FormerServiceHost)
	case x.Causes == "former-service" && engine.GroupOf(s.ID) == "sfu":
		u := e.sfuURL()
		return u != nil && strings.EqualFold(u.Hostname(), config.FormerServiceHost)
	}
	return true
}

// hasAddedPath reports whether the override that a check of a homeserver follows
// ends in a path that is added.
func (e *exam) hasAddedPath(s engine.Step) bool {
	overrides := e.look.Config.ClientURLs
	if s.ID == "homeserver.userinfo" {
		overrides = e.look.Config.FederationURLs
	}
	return slices.ContainsFunc(e.servers, func(h *homeserver) bool {
		u, there := overrides[h.name]
		if !there || s.Server != "" && s.Server != h.name.String() {
			return false
		}
		_, added := config.AddedToHomeserver(u)
		return added != ""
	})
}
