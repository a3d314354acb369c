package breakages

import (
	"net/netip"
	"strings"
)

// ordinary holds further breakages, like programs that hang, and typing mistakes in
// settings.
var ordinary = []breakage{
	{"DNS: `jwt.` has a private address", func(d *deployment) {
		d.names["jwt."+domain] = []netip.Addr{netip.MustParseAddr("192.168.1.5")}
	}, "service-closed", "address-private"},
	{"DNS: the name server does not answer questions about SRV records", together(srv("_matrix-fed._tcp", "matrix.example.org", 443), inServer("", "location /_matrix/ { "+proxyTo(8008)+" }"), func(d *deployment) { d.deaf = true }), "dns-broken", "dns-broken"},
	{"certificates: nginx speaks only TLS 1.1 and older", func(d *deployment) {
		d.nginx = "ssl_protocols TLSv1.1;\nssl_ciphers DEFAULT@SECLEVEL=0;\n" + d.nginx
	}, "tls-old", "tls-old"},
	{"well-known: requests for `.well-known/matrix/server` get no answer", hangsAt("", "= /.well-known/matrix/server"), "delegation-unread", "delegation-unread"},
	{"well-known: requests for `.well-known/matrix/client` get no answer", hangsAt("", "= /.well-known/matrix/client"), "wellknown-broken", "wellknown-broken"},
	{"well-known: requests for both documents get no answer", hangsAt("", "~ ^/.well-known/matrix/"), "wellknown-broken", "wellknown-broken"},
	{"well-known: `m.server` is a URL", server(`{"m.server": "https://matrix.example.org"}`), "delegation-invalid", "delegation-invalid"},
	{"well-known: `m.server` has no port", server(`{"m.server": "matrix.example.org"}`), "federation-unreachable", "federation-unreachable"},
	{"well-known: the document begins with a byte order mark", func(d *deployment) {
		d.website[".well-known/matrix/client"] = "\ufeff" + d.website[".well-known/matrix/client"]
	}, "wellknown-not-json", "wellknown-not-json"},
	{"well-known: the CORS header names one site", nginxAt("", "add_header Access-Control-Allow-Origin *;", "add_header Access-Control-Allow-Origin https://app.element.io;"), "wellknown-two-cors", "wellknown-two-cors"},
	{"well-known: `base_url` is the service's address", client("https://matrix.example.org", "https://jwt.example.org"), "service-instead", "service-instead"},
	{"Synapse hangs", hangs("synapse"), "homeserver-silent", "homeserver-silent"},
	{"LiveKit hangs", hangs("livekit"), "sfu-api-timeout", "sfu-unknown"},
	{"the service hangs", hangs("service"), "service-down", "service-broken"},
	{"nginx, `jwt.`: speaks TLS to the service (502)", nginxAt("jwt.", "http://127.0.0.1:8080", "https://127.0.0.1:8080"), "service-proxy", "service-proxy"},
	{"nginx, `jwt.`: removes the bodies of requests", inLocation("jwt.", `proxy_pass_request_body off; proxy_set_header Content-Length "";`), "body-changed", "body-changed"},
	{"nginx, `jwt.`: the CORS header names one site", inLocation("jwt.", "proxy_hide_header Access-Control-Allow-Origin; add_header Access-Control-Allow-Origin https://app.element.io always;"), "cors-doubled", "cors-doubled"},
	{"nginx, `sfu.`: passes /rtc, but nothing below it", nginxAt("sfu.", "location / {", "location = /rtc {"), "validate-not-passed", "sfu-unknown"},
	{"nginx, `sfu.`: refuses requests from pages of other sites (403)", inLocation("sfu.", "if ($http_origin) { return 403; }"), "proxy-refuses", "sfu-unknown"},
	{"HAProxy: speaks the PROXY protocol to the service", behindHAProxy("server service 127.0.0.1:8080", "server service 127.0.0.1:8080 send-proxy"), "service-garbled", "service-garbled"},
	{"`LIVEKIT_URL` has LiveKit's own port", variable("LIVEKIT_URL", "wss://sfu.example.org:7880"), "sfu-url-port", ""},
	{"`LIVEKIT_URL` is the service's address", variable("LIVEKIT_URL", "wss://jwt.example.org"), "service-instead", ""},
	{"`LIVEKIT_INTERNAL_URL` begins with https://", variable("LIVEKIT_INTERNAL_URL", "https://127.0.0.1:7880"), "sfu-api-tls", ""},
	{"`LIVEKIT_SECRET` is in quotes", func(d *deployment) { d.service["LIVEKIT_SECRET"] = `"` + d.service["LIVEKIT_SECRET"] + `"` }, "key-lint sfu-secret", ""},
	{"`LIVEKIT_FEDERATION_URL_OVERRIDES` leads to this service", variable("LIVEKIT_FEDERATION_URL_OVERRIDES", "example.org=http://127.0.0.1:8080"), "service-instead", ""},
	{"`LIVEKIT_CS_API_URL_OVERRIDES` leads to LiveKit", variable("LIVEKIT_CS_API_URL_OVERRIDES", "example.org=http://127.0.0.1:7880"), "livekit-instead", ""},
	{"`LIVEKIT_FULL_ACCESS_HOMESERVERS` has a misspelt server name", variable("LIVEKIT_FULL_ACCESS_HOMESERVERS", "exmaple.org"), "apex-no-address", ""},
	{"`LIVEKIT_STORE=redis` without `LIVEKIT_REDIS_URL`", refused("LIVEKIT_STORE", "redis"), "config-refused", "service-proxy"},
	{"the service's Redis requires a password, and the service does not start", together(redisOf(wantsPassword), dies), "service-down", "service-proxy"},
	{"the service's Redis is a replica, and accepts no changes", redisOf(follows), "store-degraded", ""},
	{"LiveKit: `LIVEKIT_KEYS` lacks the space after the colon", func(d *deployment) {
		d.keys = strings.ReplaceAll(strings.ReplaceAll(d.keys, " ", ""), `"`, "")
		d.livekit = broken + d.livekit
	}, "sfu-api-connect", "sfu-unknown"},
	{"livekit.yaml: LiveKit's Redis requires a password that the file does not have", together(redisOf(wantsPassword), func(d *deployment) {
		delete(d.service, "LIVEKIT_REDIS_URL")
		d.service["LIVEKIT_STORE"] = "memory"
	}, livekitDoomed("\nlogging:", "\nredis:\n  address: 127.0.0.1:6379\n\nlogging:")), "livekit-redis", "sfu-unknown"},
	{"livekit.yaml: `room.max_participants: 1`", livekit("auto_create: false", "auto_create: false\n  max_participants: 1"), "room-full", ""},
	{"livekit.yaml: `rtc.force_tcp: true`", livekit("tcp_port: 7881", "tcp_port: 7881\n  force_tcp: true"), "media-udp-off", ""},
	{"livekit.yaml: `rtc.interfaces` names an interface that does not exist", livekit("tcp_port: 7881", "tcp_port: 7881\n  interfaces:\n    includes: [eth7]"), "candidates-none", ""},
	{"livekit.yaml: `webhook.urls` begins with https:// at the service's own port", livekit("http://matrixrtc-auth:8080/sfu_webhook", "https://matrixrtc-auth:8080/sfu_webhook"), "webhook-missing", ""},
	{"livekit.yaml: `webhook.urls` without its path", livekit("http://matrixrtc-auth:8080/sfu_webhook", "http://matrixrtc-auth:8080"), "livekit-webhook-missing", ""},
	{"livekit.yaml: `turn.cert_file` names a file that does not exist", livekitDoomed("udp_port: 3478", "udp_port: 3478\n  domain: turn.example.org\n  tls_port: 5349\n  cert_file: /etc/none.pem\n  key_file: /etc/none.key"), "sfu-api-connect", "sfu-unknown"},
	{"the service and Synapse have different `as_token`s", otherRegistration, "app-service-not-ready", ""},
}
