package doctor

import (
	"slices"
	"strings"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/engine"
)

// excuse is one entry of the table excuses. Its fields are those of an
// [engine.Explanation].
type excuse struct {
	by, causes, shows string
	here              bool
}

// explained returns the table excuses in the form that [engine.Plan] needs.
func explained() map[string][]engine.Explanation {
	all := map[string][]engine.Explanation{}
	for id, list := range excuses {
		for _, x := range list {
			all[id] = append(all[id], engine.Explanation{By: x.by, Causes: x.causes, Shows: x.shows, Here: x.here})
		}
	}
	return all
}

// strangers are the ids of causes that a check finds if the wrong program
// answers.
const strangers = "proxy-refuses proxy-certificate proxy-size proxy-limits proxy-challenge proxy-login proxy-redirects website-instead homeserver-instead service-instead"

// unreadable are faults of livekit.yaml with which LiveKit does not start. down
// are the causes that other checks find if LiveKit does not run.
const (
	unreadable = "livekit-folder livekit-file-closed livekit-yaml livekit-key-unknown"
	down       = "sfu-api-dns sfu-api-connect sfu-api-timeout sfu-behind-proxy"
)

// Groups of causes that occur more than once in the table excuses.
const (
	roomFaults  = strangers + " sfu-nodes dns-broken sfu-api-dns sfu-api-connect sfu-api-timeout sfu-api-tls sfu-create"
	apiFaults   = down + " " + strangers + " dns-broken sfu-api-tls sfu-key sfu-secret sfu-clock sfu-twirp sfu-not-livekit sfu-error"
	silence     = "tls-silent packets-lost"
	waiting     = "homeserver-silent federation-unreachable " + gaps // with these faults, the service waits for the homeserver longer than doctor waits for the service
	noTLS       = "tls-none tls-old tls-expired tls-early tls-wrong-name tls-untrusted"
	badToken    = "user-token user-other user-guest"
	wayFaults   = strangers + " sfu-broken sfu-proxy sfu-login sfu-no-route websocket-headers"
	candidates  = "candidates-none candidates-docker candidates-private"
	misplaced   = candidates + " candidates-elsewhere"
	mediaFaults = candidates + " media-udp-off media-hairpin media-closed media-no-data media-not-udp"
	otherFaults = "sfu-other sfu-other-keys query-dropped validate-not-passed"
	turnFaults  = "turn-no-address turn-closed turn-tls turn-website turn-refused"
	unannounced = strangers + " wellknown-broken wellknown-missing wellknown-status wellknown-no-cors wellknown-two-cors wellknown-not-json wellknown-type"
	gaps        = "delegation-unread delegation-invalid delegation-doubtful"
	unverified  = strangers + " " + gaps + " homeserver-down homeserver-silent livekit-instead dns-broken federation-off openid-not-served openid-strange federation-dns federation-tls federation-unreachable not-federated"
)

// excuses has, for each check, the causes of other checks that explain findings
// of this check. Then only the other check reports the fault. If several
// entries explain a finding, the first one in the list counts.
var excuses = map[string][]excuse{
	"service.status": {{by: "config.environment", causes: "config-refused", shows: "service-down"}},
	// If the user's server is not in the full-access list, the service does not
	// take over the user's leave.
	"service.delegation": {
		{by: "config.full_access", causes: "full-access-entry", shows: "delegation-off"},
		{by: "homeserver.delayed_route"},
	},
	"service.clock": {
		{by: "sfu.api", causes: "sfu-clock", shows: "clock-differs"},
		{by: "webhook.round_trip", causes: "sfu-clock", shows: "clock-differs"},
	},
	"public.healthz": {{by: "service.status", causes: "service-down service-stalled", shows: "service-proxy service-broken service-ending service-no-route"}},
	"public.cors":    {{by: "public.routes"}},
	"public.preflight": {
		{by: "public.routes"},
		{by: "public.cors"},
		{by: "public.cors", causes: "cors-missing", shows: "preflight-refused"},
	},
	"public.body": {
		{by: "public.routes"},
		{by: "homeserver.userinfo", causes: waiting, shows: "service-broken"},
	},
	// The operator may have given the homeserver's host instead of the server
	// name. That host does not serve the well-known document of a server name.
	"homeserver.wellknown": {{by: "homeserver.identity", causes: "other-server-name", shows: unannounced}},
	"homeserver.foci":      {{by: "homeserver.identity", causes: "other-server-name", shows: "foci-missing"}},
	"homeserver.client_public": {
		{by: "homeserver.userinfo", here: true},
		{by: "homeserver.delayed_route"},
	},
	"homeserver.userinfo": {
		{by: "homeserver.identity", causes: "other-server-name", shows: unverified},
		{by: "homeserver.client_addresses", causes: "client-api-no-address client-api-closed client-api-unreachable address-private", shows: "federation-dns federation-unreachable not-federated", here: true},
		{by: "homeserver.client_tls", causes: noTLS + " " + silence + " client-api-closed", shows: "federation-tls federation-unreachable openid-strange not-federated", here: true},
		{by: "config.warnings", causes: "override-path", shows: unverified},
		{by: "homeserver.addresses", causes: "apex-no-address", shows: "federation-dns not-federated " + gaps},
		{by: "homeserver.addresses", causes: "apex-no-address apex-closed address-private", shows: "federation-unreachable federation-tls not-federated " + gaps},
		{by: "homeserver.tls", causes: "apex-closed " + silence + " " + noTLS, shows: "federation-unreachable federation-tls not-federated " + gaps},
		// The same web server serves both well-known documents.
		{by: "homeserver.wellknown", causes: strangers + " wellknown-broken wellknown-status", shows: gaps},
	},
	"homeserver.versions": {
		{by: "config.warnings", causes: "override-path", shows: "client-api-strange"},
		{by: "homeserver.userinfo", causes: "homeserver-down", shows: "homeserver-down"},
		{by: "homeserver.userinfo", causes: "homeserver-silent", shows: "homeserver-silent"},
		{by: "homeserver.userinfo", here: true},
	},
	"homeserver.transports": {
		{by: "user.token"},
		{by: "user.token", causes: badToken, shows: "user-token"},
	},
	"homeserver.delayed_schedule": {
		{by: "homeserver.delayed_route"},
		{by: "homeserver.transports"},
		{by: "user.token", causes: badToken, shows: "delayed-events-refused user-elsewhere"},
	},
	"sfu.api": {
		{by: "config.sfu_url", causes: "former-service", shows: apiFaults},
		{by: "config.sfu_url", causes: "sfu-url-path", shows: "sfu-twirp sfu-not-livekit sfu-error"},
		{by: "livekit.file", causes: unreadable, shows: down},
		{by: "livekit.keys", causes: "livekit-webhook-key livekit-secret-file-open livekit-key-file", shows: down},
		{by: "livekit.keys", causes: "livekit-webhook-key", shows: "sfu-key"},
		{by: "livekit.keys", causes: "livekit-secret", shows: "sfu-secret"},
		{by: "livekit.keys", causes: "livekit-key-missing", shows: "sfu-key"},
		{by: "livekit.ports", causes: "livekit-ports-clash", shows: down},
		{by: "livekit.turn", causes: "turn-domain turn-certificate turn-portless", shows: down},
		{by: "livekit.redis", causes: "livekit-redis", shows: down},
		{by: "livekit.external_ip", causes: "stun-blocked dns-broken", shows: down},
	},
	"sfu.auto_create": {{by: "livekit.auto_create", causes: "auto-create-setting", shows: "auto-create"}},
	"sfu.addresses": {
		{by: "sfu.api", causes: "sfu-api-dns", shows: "sfu-no-address"},
		{by: "sfu.api", causes: "sfu-api-connect", shows: "sfu-closed"},
		{by: "config.sfu_url", causes: "former-service", shows: "sfu-no-address sfu-closed"},
		{by: "config.sfu_url", causes: "sfu-url-inside sfu-url-clear", shows: "sfu-no-address sfu-closed dns-broken"},
	},
	"sfu.tls": {{by: "config.sfu_url", causes: "former-service", shows: "sfu-closed " + noTLS}},
	"sfu.websocket": {
		{by: "config.sfu_url", causes: "former-service", shows: wayFaults},
		{by: "config.sfu_url", causes: "sfu-url-inside sfu-url-clear sfu-url-path", shows: wayFaults},
		{by: "sfu.api", causes: down, shows: "sfu-broken sfu-proxy"},
		{by: "sfu.api", causes: "sfu-not-livekit", shows: "sfu-no-route"},
	},
	"sfu.public_room": {
		{by: "config.sfu_url", causes: "former-service sfu-url-inside sfu-url-clear sfu-url-path", shows: strangers + " sfu-broken sfu-proxy sfu-no-route websocket-headers " + otherFaults},
	},
	"sfu.bare_prefix": {{by: "config.sfu_url", causes: "sfu-url-path", shows: "bare-sfu-prefix"}},
	"sfu.api_hidden": {
		{by: "config.sfu_url", causes: "sfu-url-inside", shows: "twirp-public"},
		{by: "sfu.websocket", causes: "sfu-no-route sfu-login", shows: "twirp-public"},
	},
	"sfu.ice_tcp": {
		{by: "livekit.ports", causes: "livekit-tcp-off", shows: "ice-tcp-none"},
		{by: "sfu.candidates", causes: misplaced + " candidates-bridge-too", shows: "ice-tcp-none ice-tcp-closed hairpin"},
	},
	"sfu.turn": {
		{by: "livekit.turn", causes: "turn-domain turn-certificate turn-portless", shows: turnFaults},
		{by: "sfu.candidates", causes: misplaced, shows: turnFaults + " hairpin", here: true},
	},
	"webhook.round_trip": {
		{by: "public.healthz", causes: "listen-alone", shows: "listen-alone"},
		{by: "homeserver.addresses", causes: "dns-broken", shows: "webhook-missing"}, // LiveKit may ask the same name server, which does not answer
		{by: "livekit.webhook", causes: "livekit-webhook-missing livekit-webhook-url", shows: "webhook-missing"},
		{by: "livekit.keys", causes: "livekit-webhook-key livekit-secret livekit-key-missing", shows: "webhook-missing webhook-refused"},
	},
	"user.openid":    {{by: "homeserver.transports"}},
	"user.sfu_get":   tokenExcuses,
	"user.get_token": append(slices.Clone(tokenExcuses), excuse{by: "user.sfu_get"}),
	"user.join": {
		{by: "sfu.join"},
		{by: "sfu.websocket", causes: wayFaults, shows: "join-refused"},
		{by: "sfu.public_room", causes: otherFaults, shows: "join-refused"},
		{by: "sfu.join", causes: mediaFaults, shows: mediaFaults},
		{by: "sfu.join", causes: "room-full", shows: "join-refused"},
	},
}

// tokenExcuses are the excuses that user.sfu_get and user.get_token share.
// These checks ask the two endpoints for tokens.
var tokenExcuses = []excuse{
	{by: "public.routes"},
	{by: "config.sfu_url", causes: "former-service", shows: "token-no-room sfu-url-differs"},
	{by: "homeserver.userinfo", causes: unverified, shows: "token-unauthorized"},
	{by: "homeserver.userinfo", causes: waiting, shows: "service-broken"},
	{by: "homeserver.userinfo", causes: "homeserver-limits proxy-limits", shows: "homeserver-limits"},
	{by: "sfu.api", causes: apiFaults, shows: "token-no-room service-broken"},
	{by: "sfu.room", causes: roomFaults, shows: "token-no-room service-broken"},
}

// twins has, for each check, the other checks that examine the same place if
// one host serves several programs.
var twins = map[string][]string{
	"homeserver.addresses":        {"homeserver.addresses"}, // this means the same check of homeservers that come earlier in the list, if there are several homeservers
	"homeserver.tls":              {"homeserver.tls"},
	"homeserver.client_addresses": {"homeserver.addresses", "homeserver.client_addresses"},
	"homeserver.client_tls":       {"homeserver.tls", "homeserver.client_tls"},
	"homeserver.client_public":    {"homeserver.addresses", "homeserver.tls"},
	"public.addresses":            {"homeserver.addresses", "homeserver.client_addresses"},
	"public.tls":                  {"homeserver.tls", "homeserver.client_tls"},
	"sfu.addresses":               {"homeserver.addresses", "homeserver.client_addresses", "public.addresses"},
	"sfu.tls":                     {"homeserver.tls", "homeserver.client_tls", "public.tls"},
	"sfu.ice_tcp":                 {"homeserver.addresses", "public.addresses", "sfu.addresses"},
	"sfu.turn":                    {"homeserver.addresses", "public.addresses", "sfu.addresses", "sfu.ice_tcp"},
}

// applies reports whether x can explain a finding of s in this deployment. A
// fault in a setting explains only findings about the place to which the
// setting leads.
func (e *exam) applies(x engine.Explanation, s engine.Step) bool {
	switch {
	case x.By == "sfu.api" && s.ID == "sfu.addresses": // the API and LiveKit's public URL may be at different hosts
		api, public := e.look.Config.APIURL, e.sfuURL()
		return api != nil && public != nil && strings.EqualFold(api.Hostname(), public.Hostname())
	case x.Causes == "override-path":
		return e.hasAddedPath(s)
	case s.ID == "homeserver.userinfo": // with an override, doctor asks at another host, so findings about the server name's host explain nothing
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

// hasAddedPath is about the homeserver that the step s checks. It reports whether
// the operator's URL for this homeserver ends in a path that this service appends
// itself.
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
