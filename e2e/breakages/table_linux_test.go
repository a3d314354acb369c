package breakages

import (
	"slices"
	"time"
)

// table returns all breakages, in the order of the documentation.
func table() []breakage {
	return slices.Concat(
		healthy, names, certificates, wellKnown, homeservers, serviceProxies, sfuProxies, otherProxies, services, livekits, media, ordinary, users)
}

var healthy = []breakage{
	{what: "nothing, behind nginx", make: func(*deployment) {}},
	{what: "nothing, behind HAProxy", make: (*deployment).behindHAProxy},
	{what: "nothing, behind Caddy", make: (*deployment).behindCaddy},
	{what: "nothing, with Redis", make: redisOf(works)},
	{what: "nothing, with an application service", make: registered("http://127.0.0.1:8080")},
	{what: "nothing, with a SRV record", make: together(srv("_matrix-fed._tcp", "matrix.example.org", 443), inServer("", "location /_matrix/ { "+proxyTo(8008)+" }"))},
}

var names = []breakage{
	{"DNS: the server name has no record", without(""), "apex-no-address", "apex-no-address"},
	{"DNS: `jwt.` has no record", without("jwt."), "service-no-address", "service-no-address"},
	{"DNS: `sfu.` has no record", without("sfu."), "sfu-no-address", "sfu-unknown"},
	{"DNS: the server name has an AAAA record at which nothing answers", besides("", deadIPv6), "dead-ipv6", "dead-ipv6"},
	{"DNS: `jwt.` has an AAAA record at which nothing answers", besides("jwt.", deadIPv6), "dead-ipv6", "dead-ipv6"},
	{"DNS: `sfu.` has an AAAA record at which nothing answers", besides("sfu.", deadIPv6), "dead-ipv6", "dead-ipv6"},
	{"DNS: one of two addresses of `jwt.` is outdated", besides("jwt.", "203.0.113.99"), "dead-address", "dead-address"},
	{"DNS: the name server fails (SERVFAIL)", func(d *deployment) { d.names = nil }, "dns-broken", "dns-broken"},
	{"DNS: `matrix.` has no record", without("matrix."), "client-api-no-address", "client-api-no-address"},
	{"DNS: `matrix.` has an AAAA record at which nothing answers", besides("matrix.", deadIPv6), "dead-ipv6", "dead-ipv6"},
	{"DNS: the SRV record of the server name leads to an old machine", together(srv("_matrix-fed._tcp", "old.example.org", 8448), besides("old.", "203.0.113.99")), "federation-unreachable", "federation-unreachable"},
	{"DNS: the SRV record of the server name leads to a name that is gone", srv("_matrix-fed._tcp", "old.example.org", 8448), "federation-dns", "federation-dns"},
}

var certificates = []breakage{
	{"certificate: that of the server name has expired", certificate("", "expired.pem"), "tls-expired", "tls-expired"},
	{"certificate: that of `jwt.` has expired", certificate("jwt.", "expired.pem"), "tls-expired", "tls-expired"},
	{"certificate: that of `sfu.` has expired", certificate("sfu.", "expired.pem"), "tls-expired", "sfu-unknown"},
	{"certificate: that of `sfu.` is for another name", certificate("sfu.", "other.pem"), "tls-wrong-name", "sfu-unknown"},
	{"certificate: the intermediate one of `jwt.` is missing", certificate("jwt.", "leaf.pem"), "tls-untrusted", "tls-untrusted"},
	{"certificate: that of `sfu.` is self-signed", certificate("sfu.", "own.pem"), "tls-untrusted", "sfu-unknown"},
	{"certificate: that of `jwt.` ends tomorrow", certificate("jwt.", "ending.pem"), "tls-expires-soon", "tls-expires-soon"},
	{"certificate: that of `jwt.` is not valid yet", certificate("jwt.", "early.pem"), "tls-early", "tls-early"},
	{"certificate: that of `matrix.` has expired", certificate("matrix.", "expired.pem"), "tls-expired", "tls-expired"},
}

var wellKnown = []breakage{
	{"well-known: there is no document for clients", func(d *deployment) { delete(d.website, ".well-known/matrix/client") }, "wellknown-missing", "wellknown-missing"},
	{"well-known: the document has a comma too many", client(`"https://jwt.example.org"`, `"https://jwt.example.org",`), "wellknown-not-json", "wellknown-not-json"},
	{"well-known: the answer has no CORS header", nginxAt("", "add_header Access-Control-Allow-Origin *;", ""), "wellknown-no-cors", "wellknown-no-cors"},
	{"well-known: the answer has the CORS header twice", inLocation("", "add_header Access-Control-Allow-Origin *;"), "wellknown-two-cors", "wellknown-two-cors"},
	{"well-known: the website's program is down (502)", inServer("", "location = /.well-known/matrix/client { "+proxyTo(9)+" }"), "wellknown-status", "wellknown-status"},
	{"well-known: the content type is text/html", nginxAt("", "default_type application/json;", "default_type text/html;"), "wellknown-type", "wellknown-type"},
	{"well-known: the document says nothing about calls", client("org.matrix.msc4143.rtc_foci", "org.matrix.msc4143.foci"), "foci-missing", "foci-missing"},
	{"well-known: `rtc_foci` is inside `m.homeserver`", together(client("\n  },\n  \"org.matrix", ",\n  \"org.matrix"), client("  ]\n}", "  ]}\n}")), "wellknown-nested", "wellknown-nested"},
	{"well-known: `livekit_service_url` is LiveKit's address", client("https://jwt.example.org", "wss://sfu.example.org"), "foci-wss", "foci-wss"},
	{"well-known: `livekit_service_url` begins with http://", client("https://jwt.example.org", "http://jwt.example.org"), "foci-http", "foci-http"},
	{"well-known: `livekit_service_url` is empty", client("https://jwt.example.org", ""), "foci-empty", "foci-empty"},
	{"well-known: `livekit_service_url` ends in a slash", client("https://jwt.example.org", "https://jwt.example.org/"), "foci-slash", "foci-slash"},
	{"well-known: `livekit_service_url` is an address from an example", client("https://jwt.example.org", "https://jwt.yourdomain.com"), "foci-example", "foci-example"},
	{"well-known: the copy at `matrix.` is outdated", inServer("matrix.", `location = /.well-known/matrix/client { default_type application/json; add_header Access-Control-Allow-Origin *; return 200 '{"m.homeserver": {"base_url": "https://matrix.example.org"}, "org.matrix.msc4143.rtc_foci": [{"type": "livekit", "livekit_service_url": "https://old.example.org"}]}'; }`), "wellknown-copies-differ", "wellknown-copies-differ"},
	{"well-known: `livekit_service_url` is Element's old service", client("https://jwt.example.org", "https://livekit-jwt.call.matrix.org"), "former-service-foci", "former-service-foci"},
	{"well-known: the document has no `base_url`", client("base_url", "baseurl"), "base-url", "base-url"},
	{"well-known: `base_url` begins with http://", client("https://matrix", "http://matrix"), "base-url-http", "base-url-http"},
	{"well-known: a redirect has no CORS header", together(
		inServer("", "location = /.well-known/matrix/client { return 301 https://matrix.example.org/client.json; }"),
		func(d *deployment) {
			inServer("matrix.", "location = /client.json { default_type application/json; add_header Access-Control-Allow-Origin *; alias "+d.dir+"/www/.well-known/matrix/client; }")(d)
		}), "wellknown-redirect-cors", "wellknown-redirect-cors"},
}

var homeservers = []breakage{
	{"Synapse does not run, and its proxy answers 502", down("synapse"), "homeserver-down", "homeserver-down"},
	{"Synapse: the listener has neither `federation` nor `openid`", homeserver("names: [client, federation]", "names: [client]"), "openid-not-served", "openid-not-served"},
	{"Synapse: `max_event_delay_duration` is below `experimental_features`", together(homeserver("max_event_delay_duration: 24h\n", ""), homeserver("  msc4143_enabled: true\n", "  msc4143_enabled: true\n  max_event_delay_duration: 24h\n")), "delayed-events-off", "delayed-events-off"},
	{"Synapse: `msc4143_enabled` is missing", homeserver("  msc4143_enabled: true\n", ""), "transports-off", "transports-off"},
	{"Synapse: `proxy_url` in the registration leads to a port at which nothing listens", registered("http://localhost:8090"), "app-service-not-ready", ""},
	{"Synapse: the proxy does not pass requests that send a delayed event", inServer("matrix.", "location ~ /delayed_events/.*/send$ { return 404; }"), "delayed-events-route", "delayed-events-route"},
	{"Synapse: `rc_delayed_event_mgmt` lets through one request in ten seconds", homeserver("  per_second: 1000\n  burst_count: 1000\n", "  per_second: 0.1\n  burst_count: 1\n"), "delayed-events-limited", "delayed-events-limited"},
	{"well-known: the server name is delegated to its own website", server(`{"m.server": "example.org:443"}`), "openid-not-served", "openid-not-served"},
	{"well-known: the server name is delegated to a closed port", server(`{"m.server": "matrix.example.org:8448"}`), "federation-unreachable", "federation-unreachable"},
	{"Synapse: the proxy does not pass requests for `/_matrix/federation`", inServer("matrix.", "location ^~ /_matrix/federation { return 404; }"), "openid-not-served", "openid-not-served"},
	{"Synapse: the proxy refuses `/_matrix/federation` (403)", inServer("matrix.", "location ^~ /_matrix/federation { deny all; }"), "proxy-refuses", "proxy-refuses"},
	{"Synapse: the proxy limits the rate (429)", inServer("matrix.", "location ^~ /_matrix/federation { return 429; }"), "proxy-limits", "proxy-limits"},
	{"Synapse: the proxy answers requests for `/rtc/transports` itself, with a list instead of an object", inServer("matrix.", "location ~ /rtc/transports$ { default_type application/json; return 200 '[{\"type\": \"livekit\", \"livekit_service_url\": \"https://jwt.example.org\"}]'; }"), "transports-proxy", "transports-proxy"},
	{"Synapse: the proxy does not pass requests that send a delayed event, but `LIVEKIT_CS_API_URL_OVERRIDES` leads past the proxy", together(variable("LIVEKIT_CS_API_URL_OVERRIDES", "example.org=http://127.0.0.1:8008"), inServer("matrix.", "location ~ /delayed_events/.*/send$ { return 404; }")), "delayed-events-route", "delayed-events-route"},
	{"Synapse: the proxy answers `/_matrix/federation` with 400", inServer("matrix.", "location ^~ /_matrix/federation { return 400; }"), "proxy-refuses", "proxy-refuses"},
	{"Synapse: Cloudflare demands a challenge at `/_matrix/federation`", inServer("matrix.", "location ^~ /_matrix/federation { add_header Cf-Mitigated challenge always; default_type text/html; return 403 '<!DOCTYPE html><title>Just a moment...</title>'; }"), "proxy-challenge", "proxy-challenge"},
	{"Synapse: a website answers at `/_matrix/federation` (404)", inServer("matrix.", "location ^~ /_matrix/federation { default_type text/html; error_page 404 /none.html; return 404 '<!DOCTYPE html><title>Home</title>'; }"), "openid-strange", "openid-strange"},
	{"Synapse: the proxy redirects `/_matrix/federation`", inServer("matrix.", "location ^~ /_matrix/federation { return 301 https://www.example.org$request_uri; }"), "proxy-redirects", "proxy-redirects"},
	{"a homeserver that calls itself Dendrite does not support delayed events", inServer("matrix.", `location = /_matrix/federation/v1/version { default_type application/json; return 200 '{"server": {"name": "Dendrite", "version": "0.13.8"}}'; } location = /_matrix/client/versions { default_type application/json; return 200 '{"versions": ["v1.11"], "unstable_features": {}}'; }`), "delayed-events-none", "delayed-events-none"},
	{"Synapse: the proxy requires a login", inServer("matrix.", "location ^~ /_matrix { return 302 https://login.example.org/; }"), "proxy-login", "proxy-login"},
}

var serviceProxies = []breakage{
	{"nginx, `jwt.`: nothing listens at the service's port (502)", nginxAt("jwt.", "127.0.0.1:8080", "127.0.0.1:8088"), "service-proxy", "service-proxy"},
	{"the service does not run", down("service"), "service-down", "service-proxy"},
	{"nginx, `jwt.`: leads to LiveKit", nginxAt("jwt.", "127.0.0.1:8080", "127.0.0.1:7880"), "service-is-sfu", "service-is-sfu"},
	{"nginx, `jwt.`: leads to Synapse", nginxAt("jwt.", "127.0.0.1:8080", "127.0.0.1:8008"), "service-no-route", "service-no-route"},
	{"nginx, `jwt.`: a website answers every request", instead("jwt.", "default_type text/html; return 200 '<html>Welcome</html>';"), "website-instead", "website-instead"},
	{"nginx, `jwt.`: adds the CORS header a second time", inLocation("jwt.", "add_header Access-Control-Allow-Origin * always;"), "cors-doubled", "cors-doubled"},
	{"nginx, `jwt.`: removes the CORS header", inLocation("jwt.", "proxy_hide_header Access-Control-Allow-Origin;"), "cors-missing", "cors-missing"},
	{"nginx, `jwt.`: answers OPTIONS itself", inLocation("jwt.", "if ($request_method = OPTIONS) { return 204; }"), "preflight-refused", "preflight-refused"},
	{"nginx, `jwt.`: refuses POST (403)", inLocation("jwt.", "limit_except GET OPTIONS { deny all; }"), "proxy-refuses", "proxy-refuses"},
	{"nginx, `jwt.`: requires a password (401)", inLocation("jwt.", "auth_basic private; auth_basic_user_file /dev/null;"), "proxy-login", "proxy-login"},
	{"nginx, `jwt.`: refuses bodies of more than one byte (413)", inServer("jwt.", "client_max_body_size 1;"), "proxy-size", "proxy-size"},
	{"nginx: does not remove the path prefix", prefix("/livekit/jwt", "location /livekit/jwt/ { "+proxyTo(8080)+" }"), "prefix-not-stripped", "prefix-not-stripped sfu-unknown"},
	{"nginx: `livekit_service_url` lacks the prefix", client("https://jwt.example.org", "https://matrix.example.org"), "service-no-route", "service-no-route sfu-unknown"},
	{"nginx, `jwt.`: passes a header with the client's address as the client wrote it", nginxAt("jwt.", "proxy_set_header X-Real-IP $remote_addr;", ""), "client-address-forged", ""},
	{"nginx, `jwt.`: passes only three paths", together(nginxAt("jwt.", "location / {", "location ~ ^/(sfu/get|get_token|healthz)$ {")), "route-not-passed", "route-not-passed"},
	{"nginx: the rule for the prefix does not match the prefix without a slash", prefix("/livekit/jwt", "location ~ ^/livekit/jwt/(.*)$ { proxy_pass http://127.0.0.1:8080/$1$is_args$args; proxy_set_header X-Real-IP $remote_addr; }"), "bare-prefix", "bare-prefix sfu-unknown"},
	{"nginx, `jwt.`: redirects everything (301)", instead("jwt.", "return 301 https://www.example.org$request_uri;"), "proxy-redirects", "proxy-redirects"},
	{"nginx, `jwt.`: an old container answers `/healthz`", inServer("jwt.", `location = /healthz { default_type application/json; add_header Access-Control-Allow-Origin *; return 200 '{"status": "ok", "version": "0.1.0"}'; }`), "version-differs", ""},
	{"nginx, `jwt.`: limits the rate of requests (503)", func(d *deployment) {
		d.nginx = "limit_req_zone $host zone=one:1m rate=1r/m;\n" + d.nginx
		inLocation("jwt.", "limit_req zone=one;")(d)
	}, "proxy-limits", "proxy-limits"},
	{"nginx, `jwt.`: limits the rate of requests (429)", func(d *deployment) {
		d.nginx = "limit_req_zone $host zone=one:1m rate=1r/m;\n" + d.nginx
		inLocation("jwt.", "limit_req zone=one; limit_req_status 429;")(d)
	}, "proxy-limits", "proxy-limits"},
	{"nginx, `jwt.`: redirects POST (301)", inLocation("jwt.", "if ($request_method = POST) { return 301 https://jwt.example.org/app$request_uri; }"), "proxy-redirects", "proxy-redirects"},
	{"nginx, `jwt.`: redirects to itself", instead("jwt.", "return 301 https://$host$request_uri;"), "proxy-redirects", "proxy-redirects"},
	{"nginx, `jwt.`: requires a certificate of clients", func(d *deployment) {
		inServer("jwt.", "ssl_verify_client on; ssl_client_certificate "+d.dir+"/root.pem;")(d)
	}, "proxy-certificate", "proxy-certificate"},
	{"nginx: `jwt.` leads to LiveKit, and `sfu.` to the service", together(nginxAt("jwt.", "127.0.0.1:8080", "127.0.0.1:7880"), nginxAt("sfu.", "127.0.0.1:7880", "127.0.0.1:8080")), "service-is-sfu service-instead", "service-is-sfu sfu-unknown"},
}

var sfuProxies = []breakage{
	{"nginx, `sfu.`: does not pass the WebSocket headers", together(nginxAt("sfu.", "proxy_set_header Upgrade $http_upgrade;", ""), nginxAt("sfu.", "proxy_set_header Connection $connection_upgrade;", "")), "websocket-headers", "websocket-headers"},
	{"nginx, `sfu.`: nothing listens at LiveKit's port (502)", nginxAt("sfu.", "127.0.0.1:7880", "127.0.0.1:7888"), "sfu-proxy", "sfu-unknown"},
	{"nginx, `sfu.`: leads to the service", nginxAt("sfu.", "127.0.0.1:7880", "127.0.0.1:8080"), "service-instead", "sfu-unknown"},
	{"nginx, `sfu.`: requires a password (401)", inLocation("sfu.", "auth_basic private; auth_basic_user_file /dev/null;"), "sfu-login", "sfu-unknown"},
	{"nginx, `sfu.`: passes LiveKit's Room API to everybody", nginxAt("sfu.", "return 404;", proxyTo(7880)), "twirp-public", "twirp-public"},
	{"nginx, `sfu.`: refuses every request (403)", inLocation("sfu.", "deny all;"), "proxy-refuses", "sfu-unknown"},
	{"nginx, `sfu.`: limits the rate of requests (429)", instead("sfu.", "return 429;"), "proxy-limits", "sfu-unknown"},
	{"nginx, `sfu.`: removes the header Authorization", inLocation("sfu.", `proxy_set_header Authorization "";`), "authorization-dropped", ""},
	{"nginx, `sfu.`: leads to another LiveKit with the same key", together(second(sameKeys), nginxAt("sfu.", "127.0.0.1:7880", "127.0.0.1:7890")), "sfu-other", ""},
	{"nginx, `sfu.`: leads to another LiveKit with other keys", together(second(otherKeys), nginxAt("sfu.", "127.0.0.1:7880", "127.0.0.1:7890")), "sfu-other-keys", ""},
	{"nginx, `sfu.`: removes the query of addresses", inLocation("sfu.", "set $args '';"), "query-dropped", ""},
}

var otherProxies = []breakage{
	{"HAProxy: compares the Host header including its port", behindHAProxy("{ hdr(host),field(1,:) -i matrix.example.org }", "{ hdr(host) -i matrix.example.org }"), "openid-not-served", "openid-not-served"},
	{"HAProxy: the service's server is down (503)", behindHAProxy("server service 127.0.0.1:8080", "server service 127.0.0.1:8088"), "service-proxy", "service-proxy"},
	{"HAProxy: LiveKit's server is down (503)", behindHAProxy("server livekit 127.0.0.1:7880", "server livekit 127.0.0.1:7888"), "sfu-proxy", "sfu-unknown"},
	{"Caddy: `jwt.` leads to a port at which nothing listens (502)", behindCaddy("reverse_proxy 127.0.0.1:8080", "reverse_proxy 127.0.0.1:8088"), "service-proxy", "service-proxy"},
	{"Caddy: `sfu.` leads to a port at which nothing listens (502)", behindCaddy("reverse_proxy 127.0.0.1:7880", "reverse_proxy 127.0.0.1:7888"), "sfu-proxy", "sfu-unknown"},
	{"Caddy: adds the CORS header", behindCaddy("reverse_proxy 127.0.0.1:8080 {", "header +Access-Control-Allow-Origin *\n\treverse_proxy 127.0.0.1:8080 {"), "cors-doubled", "cors-doubled"},
	{"Caddy: `jwt.` requires a certificate of clients", func(d *deployment) {
		d.behindCaddy()
		site := "jwt.example.org {\n\ttls " + d.dir + "/chain.pem " + d.dir + "/key.pem"
		d.edit(&d.caddy, site, site+" {\n\t\tclient_auth {\n\t\t\tmode require\n\t\t}\n\t}")
	}, "proxy-certificate", "proxy-certificate"},
	{"HAProxy: a rule refuses bodies with `!` (403)", behindHAProxy("backend service\n", "backend service\n    option http-buffer-request\n    http-request deny if { req.body -m sub ! }\n"), "proxy-refuses", "proxy-refuses"},
	{"HAProxy: Synapse's clock is years behind", behindHAProxy("backend synapse\n", "backend synapse\n    http-response set-header Date \"Mon, 30 Nov 2020 00:00:00 GMT\"\n"), "clock-differs", ""},
	{"HAProxy: speaks no TLS", behindHAProxy(" ssl crt DIR/haproxy.pem", ""), "tls-none", "tls-none"},
}

var services = []breakage{
	{"the service and LiveKit have different secrets", variable("LIVEKIT_SECRET", "0123456789abcdef0123456789abcdef0123"), "sfu-secret", ""},
	{"the service's API key is not one of LiveKit's", variable("LIVEKIT_KEY", "another"), "livekit-webhook-key", ""},
	{"`LIVEKIT_INTERNAL_URL` has a name that does not exist", variable("LIVEKIT_INTERNAL_URL", "http://livekit:7880"), "sfu-api-dns", ""},
	{"`LIVEKIT_INTERNAL_URL` has a port at which nothing listens", variable("LIVEKIT_INTERNAL_URL", "http://127.0.0.1:7888"), "sfu-api-connect", ""},
	{"`LIVEKIT_INTERNAL_URL` leads to Synapse", variable("LIVEKIT_INTERNAL_URL", "http://127.0.0.1:8008"), "sfu-not-livekit", ""},
	{"`LIVEKIT_INTERNAL_URL` is not set, and nginx does not pass LiveKit's API (404)", func(d *deployment) { delete(d.service, "LIVEKIT_INTERNAL_URL") }, "sfu-twirp", ""},
	{"`LIVEKIT_INTERNAL_URL` is not set, and nginx refuses LiveKit's API (403)", together(func(d *deployment) { delete(d.service, "LIVEKIT_INTERNAL_URL") }, nginxAt("sfu.", "return 404;", "deny all;")), "proxy-refuses", ""},
	{"`LIVEKIT_URL` ends in /rtc", variable("LIVEKIT_URL", "wss://sfu.example.org/rtc"), "sfu-url-path", ""},
	{"`LIVEKIT_URL` is ws://livekit:7880", variable("LIVEKIT_URL", "ws://livekit:7880"), "sfu-url-inside", ""},
	{"`LIVEKIT_FULL_ACCESS_HOMESERVERS` is a URL", variable("LIVEKIT_FULL_ACCESS_HOMESERVERS", "https://example.org"), "full-access-entry", ""},
	{"`LIVEKIT_FEDERATION_URL_OVERRIDES` leads to a closed port", variable("LIVEKIT_FEDERATION_URL_OVERRIDES", "example.org=http://127.0.0.1:9"), "federation-unreachable", ""},
	{"`LIVEKIT_CS_API_URL_OVERRIDES` ends in /_matrix", variable("LIVEKIT_CS_API_URL_OVERRIDES", "example.org=http://127.0.0.1:8008/_matrix"), "override-path", ""},
	{"`LIVEKIT_DELEGATION=false`", variable("LIVEKIT_DELEGATION", "false"), "delegation-off", ""},
	{"the service's Redis does not run", together(variable("LIVEKIT_STORE", "redis"), variable("LIVEKIT_REDIS_URL", "redis://127.0.0.1:6379")), "store-degraded", ""},
	{"the service's Redis cannot save, and refuses changes", redisOf(cannotSave), "store-degraded", ""},
	{"`LIVEKIT_TRUSTED_PROXIES` lacks the proxy", variable("LIVEKIT_TRUSTED_PROXIES", "192.0.2.1"), "client-address-lost", ""},
	{"`LIVEKIT_FULL_ACCESS_HOMESERVERS` names the homeserver's host, and not its server name", variable("LIVEKIT_FULL_ACCESS_HOMESERVERS", "matrix.example.org"), "other-server-name", ""},
	{"`LIVEKIT_FULL_ACCESS_HOMESERVERS` has a semicolon", variable("LIVEKIT_FULL_ACCESS_HOMESERVERS", "example.org;example.net"), "full-access-entry", ""},
}

var livekits = []breakage{
	{"LiveKit does not run", down("livekit"), "sfu-api-connect", "sfu-unknown"},
	{"LiveKit's clock is two hours ahead", func(d *deployment) { d.ahead = 2 * time.Hour }, "sfu-clock", "sfu-unknown"},
	{"livekit.yaml: `enabled_codecs` without opus", livekit("auto_create: false", "auto_create: false\n  enabled_codecs:\n    - mime: video/h264"), "sfu-codecs", ""},
	{"livekit.yaml: `level` is not indented", livekitDoomed("\n  level: info", "\nlevel: info"), "livekit-key-unknown", "sfu-unknown"},
	{"livekit.yaml: `webhook.api_key` is not one of the keys", livekitDoomed(`api_key: "matrixrtc"`, `api_key: "other"`), "livekit-webhook-key", "sfu-unknown"},
	{"livekit.yaml: LiveKit's Redis does not run", livekitDoomed("\nlogging:", "\nredis:\n  address: 127.0.0.1:6379\n\nlogging:"), "livekit-redis", "sfu-unknown"},
	{"livekit.yaml: no `webhook.urls`", livekit(`urls: ["http://matrixrtc-auth:8080/sfu_webhook"]`, "urls: []"), "livekit-webhook-missing", ""},
	{"livekit.yaml: `webhook.urls` leads to a port at which nothing listens", livekit("http://matrixrtc-auth:8080/sfu_webhook", "http://matrixrtc-auth:8088/sfu_webhook"), "webhook-missing", ""},
	{"livekit.yaml: `webhook.urls` without a scheme", livekit("http://matrixrtc-auth:8080/sfu_webhook", "matrixrtc-auth:8080/sfu_webhook"), "livekit-webhook-url", ""},
	{"livekit.yaml: `webhook.urls` begins with wss://", livekit("http://matrixrtc-auth:8080/sfu_webhook", "wss://matrixrtc-auth:8080/sfu_webhook"), "livekit-webhook-url", ""},
	{"livekit.yaml: `webhook.urls` leads to nginx, which redirects to https", together(redirectsToTLS, livekit("http://matrixrtc-auth:8080/sfu_webhook", "http://jwt.example.org/sfu_webhook")), "webhook-way", ""},
	{"livekit.yaml: sets `node_ip` and `use_external_ip: true`, and no STUN server answers", livekitDoomed("use_external_ip: false", "use_external_ip: true\n  stun_servers: [\"203.0.113.10:3499\"]"), "stun-blocked", "sfu-unknown"},
	{"livekit.yaml: another program uses one of the ports", livekitDoomed("tcp_port: 7881", "tcp_port: 8008"), "sfu-api-connect", "sfu-unknown"},
	{"livekit.yaml: a `key_file` that others may read", openKeyFile, "livekit-secret-file-open", "sfu-unknown"},
	{"livekit.yaml: the relay ports overlap with the media ports", livekit("relay_range_start: 20201", "relay_range_start: 20101"), "livekit-ports-clash", ""},
	{"livekit.yaml: TURN over TLS has no domain", livekitDoomed("udp_port: 3478", "udp_port: 3478\n  tls_port: 5349\n  external_tls: true"), "turn-domain", "sfu-unknown"},
	{"TURN over TLS: nginx answers at port 443 of `turn.`, without a certificate for that name", turnTLS(""), "turn-tls", ""},
	{"TURN over TLS: a website answers at port 443 of `turn.`", turnTLS("turn.pem"), "turn-website", ""},
	{"TURN over TLS: `turn.` has no record", together(turnTLS(""), without("turn.")), "turn-no-address", ""},
	{"livekit.yaml: `room.auto_create: true`", livekit("auto_create: false", "auto_create: true"), "auto-create-setting", ""},
	{"livekit.yaml: sets `udp_port` and a range of ports", livekit("  use_external_ip: false", "  udp_port: 7882\n  use_external_ip: false"), "livekit-udp-both", ""},
	{"livekit.yaml: `tcp_port: 0`", livekit("tcp_port: 7881", "tcp_port: 0"), "livekit-tcp-off", "ice-tcp-closed"},
	{"livekit.yaml: the media ports overlap with the ports of outgoing connections", together(livekit("port_range_start: 20000", "port_range_start: 50000"), livekit("port_range_end: 20200", "port_range_end: 50200")), "livekit-range-ephemeral", ""},
	{"livekit.yaml: `keys` are placeholders, and `LIVEKIT_KEYS` has the real keys", livekit("\nlogging:", "\nkeys:\n  devkey: secretsecretsecretsecretsecretsecret\n\nlogging:"), "livekit-keys-replaced", ""},
	{"livekit.yaml: `node_ip` is a private address", livekit("node_ip: "+public, "node_ip: 10.0.0.7"), "candidates-private", ""},
	{"livekit.yaml: `node_ip` is an outdated address", livekit("node_ip: "+public, "node_ip: 203.0.113.99"), "candidates-elsewhere", ""},
}

var media = []breakage{
	{"the router does not forward the UDP ports", closing("-p udp --dport 20000:20200"), "media-hairpin", ""},
	{"the router does not forward 7881/tcp", closing("-p tcp --dport 7881"), "hairpin", "ice-tcp-closed"},
	{"the router forwards no media at all", closing("-p udp --dport 20000:20200", "-p tcp --dport 7881", "-p udp --dport 3478"), "media-hairpin", "ice-tcp-closed"},
	{"the router does not forward 3478/udp", closing("-p udp --dport 3478"), "hairpin", ""},
	{"the reverse proxy does not run", down("nginx"), "apex-closed", "apex-closed"},
	{"the router does not forward 443/tcp", closing("-p tcp --dport 443"), "hairpin federation-unreachable", "apex-closed"},
	{"packets of more than 1280 bytes are lost, and no ICMP message says so", smallPackets, "packets-lost", "packets-lost"},
}

// users has the breakages that doctor can find only with the option --user.
var users = []breakage{
	{what: "nothing, with --user", make: as(alice, room), inside: "", outside: ""},
	{what: "--user: the access token has expired", make: as("expired", room), inside: "user-token", outside: "user-token"},
	{what: "--user: the access token is another user's", make: as(bob, room), inside: "user-other", outside: "user-other"},
	{what: "--user: the user is a guest", make: as(guest, room), inside: "user-guest", outside: "user-guest"},
	{what: "--user: the user is not in the room", make: as(alice, otherRoom), inside: "user-elsewhere", outside: "user-elsewhere"},
	{what: "--user: the proxy does not pass requests for OpenID tokens", make: together(as(alice, room), inServer("matrix.", "location ~ /openid/request_token$ { default_type application/json; return 404 '{\"errcode\": \"M_UNRECOGNIZED\"}'; }")), inside: "openid-refused", outside: "openid-refused"},
	{what: "--user: the router forwards only ten of the UDP ports", make: together(as(alice, room), closing("-p udp --dport 20010:20200")), inside: "media-hairpin", outside: "media-closed"},
	{what: "--user: `max_event_delay_duration` of Synapse has no unit", make: together(as(alice, room), homeserver("max_event_delay_duration: 24h", "max_event_delay_duration: 24")), inside: "delayed-events-short", outside: "delayed-events-short"},
	{what: "--user: `matrix_rtc.transports` of Synapse leads to another service", make: together(as(alice, room), homeserverTransports("https://old.example.org")), inside: "transports-differ", outside: "transports-differ"},
	{what: "--user: `matrix_rtc.transports` of Synapse is empty", make: together(as(alice, room), homeserver(transport, "  transports: []\n")), inside: "transports-empty", outside: "transports-empty"},
	{what: "--user: a transport of Synapse has `url`, and there is no application service", make: together(as(alice, room), homeserver(transport, transport+"      url: wss://sfu.example.org\n")), inside: "transport-url-unserved", outside: "transport-url-unserved"},
}

// transport is the entry in homeserver.yaml that tells newer clients which service and
// SFU to use.
const transport = "  transports:\n    - type: livekit\n      livekit_service_url: https://jwt.example.org\n"
