package doctor

import "matrixrtc-auth/doctor/engine"

// throughProxy are the checks whose question a program in front may answer.
var throughProxy = []string{
	"homeserver.wellknown", "homeserver.userinfo", "homeserver.versions", "homeserver.delayed_route", "homeserver.client_public", "homeserver.transports",
	"public.healthz", "public.routes", "public.preflight", "public.cors", "public.body",
	"sfu.api", "sfu.auto_create", "sfu.room", "sfu.websocket", "sfu.public_room",
	"user.token", "user.openid", "user.sfu_get", "user.get_token",
}

// strangers are the causes of an answer from another program than the one that
// was asked.
const strangers = "proxy-refuses proxy-certificate proxy-size proxy-limits proxy-challenge proxy-login proxy-redirects website-instead homeserver-instead service-instead"

var proxyCauses = []engine.Cause{
	{ID: "proxy-refuses", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, refuses the request itself, so it never gets to {who}",
		Remedy: "let it through there: look for deny and allow (nginx, HAProxy), for a filter of requests (ModSecurity, the WAF of Cloudflare or of the router), and for a block of countries or addresses{instead}"},
	{ID: "proxy-certificate", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, wants every client to show a TLS certificate, and no client of a call has one",
		Remedy: "take that off {host}: ssl_verify_client (nginx), client_auth (Caddy), verify required (HAProxy). With Cloudflare's authenticated origin pulls, which need it, {host} must lead to Cloudflare and not to the machine itself"},
	{ID: "proxy-size", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, refuses the request because of the size of its body",
		Remedy: "allow 64 KiB at least: client_max_body_size (nginx), request_body max_size (Caddy){instead}"},
	{ID: "proxy-limits", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, lets too few requests through, and clients do not ask again",
		Remedy: "raise its limit for {host}, or take it off: limit_req and limit_conn (nginx, which answer 503 if limit_req_status does not say 429), a stick-table (HAProxy), rate limiting (Cloudflare){instead}"},
	{ID: "proxy-challenge", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, first wants to see a browser with a person, which neither clients in a call nor servers can show",
		Remedy: "leave {host} out: in Cloudflare, a custom rule that skips for this host, or its DNS record without the proxy (a grey cloud)"},
	{ID: "proxy-login", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, wants a login (a password or single sign-on), and whoever asks has none",
		Remedy: "take the login off {host}: {who} asks for tokens itself"},
	{ID: "proxy-redirects", Rows: []int{5}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "whoever asks for {who} at {host} is sent on to {other}, where neither browsers that POST nor servers follow",
		Remedy: "pass these requests on to {who} instead of redirecting them (from http to https, from a name to the same with www, to a path with a slash at its end); if {who} is meant to be at that other address, write that one where {host} is written{instead}"},
	{ID: "website-instead", Rows: []int{5, 35}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "at {host} a website answers, in the place of {who}",
		Remedy: "lead this address to {who} in the web server of {host}, before the rule that answers everything with a page"},
	{ID: "homeserver-instead", Rows: []int{35}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "at {host} a homeserver answers, in the place of {who}",
		Remedy: "lead the entry for {host} in the reverse proxy to {who}, and not to the homeserver"},
	{ID: "service-instead", Rows: []int{35}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "at {host} this service itself answers, in the place of {who}",
		Remedy: "correct {leads}; if it is right, lead the entry for {host} in the reverse proxy to {who}, and not to this service"},
	{ID: "livekit-instead", Rows: []int{35}, Checks: []string{"homeserver.userinfo", "homeserver.versions"}, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "at {host} LiveKit answers, in the place of {who}",
		Remedy: "correct {leads}; if it is right, lead the entry for {host} in the reverse proxy to {who}, and not to LiveKit"},
	{ID: "homeserver-silent", Rows: []int{9, 28}, Checks: []string{"homeserver.userinfo", "homeserver.versions"}, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{address} takes requests for the homeserver {server}, and does not answer them in time: the homeserver hangs or is overloaded, or its proxy waits for it in vain",
		Remedy: "see its log and its load (docker compose logs synapse), and start it again: docker compose restart synapse", Unbroken: lengthy},
	{ID: "answers-sometimes", Rows: []int{13}, Checks: []string{"homeserver.versions", "homeserver.userinfo", "public.healthz", "sfu.api", "sfu.websocket"}, From: "both", Status: engine.Warn,
		Text:   "the proxy of {host} answered once with {status} and then well: some of the requests to {who} fail",
		Remedy: "if {who} was just started, run doctor again; else one of several servers behind that name is down: see the proxy's log"},
	{ID: "homeserver-down", Rows: []int{9, 10}, Checks: []string{"homeserver.userinfo", "homeserver.versions", "homeserver.delayed_route", "homeserver.client_public", "homeserver.transports", "user.token", "user.openid"}, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "the reverse proxy ({program}) of {server} at {address} is there, but gets no answer of the homeserver: that is down or starts just now, or the proxy leads to another port",
		Remedy: "start the homeserver and see its log (docker compose logs synapse); if it runs, compare the proxy's entry with the port of its listener"},
	{ID: "homeserver-limits", Rows: []int{23}, Checks: []string{"homeserver.userinfo", "homeserver.versions", "homeserver.transports", "user.token", "user.openid", "user.sfu_get", "user.get_token"}, From: "both", Status: engine.Warn, Blocks: true,
		Text:   "the homeserver {server} itself limits requests just now (429), so this says nothing of what it would answer",
		Remedy: "run doctor again in a minute; if that lasts, raise the limit that its log names (Synapse: rc_federation for other servers' requests, rc_message and rc_login for clients)"},
}
