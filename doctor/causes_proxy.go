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
		Text:   "{program}, in front of {who} at {host}, refuses the request itself, so the request never reaches {who}",
		Remedy: "allow the request in the configuration of {program}. Look for deny and allow (nginx, HAProxy), for a filter of requests (ModSecurity, the WAF of Cloudflare or of the router), and for a block of countries or addresses{instead}"},
	{ID: "proxy-certificate", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, requires a TLS certificate of every client, but the clients of calls have none",
		Remedy: "remove that requirement for {host}: ssl_verify_client (nginx), client_auth (Caddy), verify required (HAProxy). If Cloudflare's authenticated origin pulls need it, {host} must lead to Cloudflare, and not to the machine itself"},
	{ID: "proxy-size", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, refuses the request because its body is too large",
		Remedy: "allow at least 64 KiB: client_max_body_size (nginx), request_body max_size (Caddy){instead}"},
	{ID: "proxy-limits", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, limits the rate of requests too strictly. Clients do not repeat a refused request",
		Remedy: "raise or remove the limit for {host}: limit_req and limit_conn (nginx, which answers 503 unless limit_req_status says 429), a stick-table (HAProxy), rate limiting (Cloudflare){instead}"},
	{ID: "proxy-challenge", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, asks for proof that a person with a browser makes the request. Clients in a call and servers cannot give that proof",
		Remedy: "exclude {host} from the challenge. In Cloudflare, add a custom rule that skips this host, or switch the proxy off for its DNS record (a grey cloud)"},
	{ID: "proxy-login", Rows: []int{8}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{program}, in front of {who} at {host}, requires a login (a password or single sign-on), which clients and servers do not have",
		Remedy: "remove the login for {host}. {who} asks for tokens itself"},
	{ID: "proxy-redirects", Rows: []int{5}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "requests for {who} at {host} are redirected to {other}. Browsers that send POST requests, and servers, do not follow the redirect",
		Remedy: "pass these requests to {who} instead of redirecting them. Such redirects lead from http to https, to the same name with www, or to a path with a slash at its end. If {who} should be at the other address, write that address where {host} is written{instead}"},
	{ID: "website-instead", Rows: []int{5, 35}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "a website answers at {host}, where {who} should answer",
		Remedy: "in the web server of {host}, pass this address to {who}. The rule must come before the one that answers everything with a page"},
	{ID: "homeserver-instead", Rows: []int{35}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "a homeserver answers at {host}, where {who} should answer",
		Remedy: "in the reverse proxy, lead the entry for {host} to {who}, and not to the homeserver"},
	{ID: "service-instead", Rows: []int{35}, Checks: throughProxy, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "this service itself answers at {host}, where {who} should answer",
		Remedy: "correct {leads}. If that is right, lead the entry for {host} in the reverse proxy to {who}, and not to this service"},
	{ID: "livekit-instead", Rows: []int{35}, Checks: []string{"homeserver.userinfo", "homeserver.versions"}, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "LiveKit answers at {host}, where {who} should answer",
		Remedy: "correct {leads}. If that is right, lead the entry for {host} in the reverse proxy to {who}, and not to LiveKit"},
	{ID: "homeserver-silent", Rows: []int{9, 28}, Checks: []string{"homeserver.userinfo", "homeserver.versions"}, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "{address} accepts requests for the homeserver {server}, but does not answer them in time. The homeserver hangs or is overloaded, or its proxy cannot reach it",
		Remedy: "see the homeserver's log and its load (docker compose logs synapse), and restart it: docker compose restart synapse", Unbroken: lengthy},
	{ID: "answers-sometimes", Rows: []int{13}, Checks: []string{"homeserver.versions", "homeserver.userinfo", "public.healthz", "sfu.api", "sfu.websocket"}, From: "both", Status: engine.Warn,
		Text:   "the proxy of {host} answered one request with {status} and the next one correctly, so some of the requests to {who} fail",
		Remedy: "if {who} has just started, run doctor again. Otherwise one of several servers behind that name is down: see the proxy's log"},
	{ID: "homeserver-down", Rows: []int{9, 10}, Checks: []string{"homeserver.userinfo", "homeserver.versions", "homeserver.delayed_route", "homeserver.client_public", "homeserver.transports", "user.token", "user.openid"}, From: "both", Status: engine.Fail, Code: openIDError,
		Text:   "the reverse proxy ({program}) of {server} at {address} answers, but the homeserver behind it does not. The homeserver is down or still starting, or the proxy uses the wrong port",
		Remedy: "start the homeserver, and see its log (docker compose logs synapse). If it runs, compare the port in the proxy's entry with the port of the homeserver's listener"},
	{ID: "homeserver-limits", Rows: []int{23}, Checks: []string{"homeserver.userinfo", "homeserver.versions", "homeserver.transports", "user.token", "user.openid", "user.sfu_get", "user.get_token"}, From: "both", Status: engine.Warn, Blocks: true,
		Text:   "the homeserver {server} refuses requests at the moment because of its rate limit (429). So doctor could not make this check",
		Remedy: "run doctor again in a minute. If the refusals continue, raise the limit that the homeserver's log names (Synapse: rc_federation for requests of other servers, rc_message and rc_login for clients)"},
}
