package causes

import (
	"net/netip"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/matrix"
)

// examples are the values of placeholders in the documentation.
var examples = engine.Vars{
	"relay_ports": "30000-40000/udp",
	"api":         "http://livekit:7880", "kind": "Dendrite 0.13.8", "who": "this service", "instead": "", "status": "502", "program": "nginx", "start": "docker compose up -d matrixrtc-auth",
	"server": "example.org", "host": "example.org", "url": "https://jwt.example.org", "sfu": "wss://sfu.example.org",
	"base": "https://matrix.example.org", "port": "443", "address": "203.0.113.7", "name": "turn.example.org",
	"key": "matrixrtc", "hook": "old-key", "setting": "level", "route": "/get_token", "reason": "signature",
	"header": "X-Forwarded-For", "proxy": "100.64.0.7", "file": "/etc/livekit-keys.yaml", "group": "65532",
	"old": "203.0.113.7:8448", "from": "2027-01-01T00:00:00Z", "user": "@alice:example.org", "room": "!room:example.org", "count": "3", "found": "matrix.example.org:443",
	"document": "https://example.org/.well-known/matrix/client", "address6": "2001:db8::7",
	"check": "homeserver.tls", "command": "curl -i https://jwt.example.org/healthz",
	"sfu_port": "7880", "tcp_port": "7881", "udp_ports": "20000-20200/udp", "turn_port": "3478/udp", "listen": "8080",
	"first": "if LIVEKIT_INTERNAL_URL is not set, set it to http://livekit:7880 and create the container again: without LIVEKIT_INTERNAL_URL, this service itself uses the public address. Then ", "twirp": "/twirp/",
	"list":  "example.net,example.org",
	"leads": "LIVEKIT_URL", "delegation": ".well-known/matrix/server of example.org, which names matrix.example.org", "inside": "m.homeserver",
	"days": "9", "bytes": "816", "late": "5m0s", "range": "50000-50200", "other": "https://matrix.example.org",
}

// ofService is the example for causes that are about a proxy in front of any
// program. The example is the proxy in front of this service.
var ofService = engine.Vars{"host": "jwt.example.org"}

// examplesOf are the example values of docs/troubleshooting.md for one cause or one
// group of checks, if they differ from those in the map examples.
var examplesOf = map[string]engine.Vars{
	"sfu-url-inside":    {"sfu": "ws://livekit:7880"},
	"sfu-url-clear":     {"sfu": "ws://sfu.example.org"},
	"sfu-url-network":   {"sfu": "wss://sfu.fritz.box"},
	"sfu-url-port":      {"sfu": "wss://sfu.example.org:7880", "host": "sfu.example.org"},
	"address-private":   {"address": "192.168.1.7"},
	"foci-example":      {"url": "https://jwt.yourdomain.com"},
	"foci-double-slash": {"url": "https://example.org//livekit/jwt"},
	"foci-elsewhere":    {"other": "https://old.example.org"}, "foci-other-service": {"server": "example.net", "other": "https://jwt.example.net"},
	"base-url-example":        {"url": "https://matrix.yourdomain.com"},
	"client-api-no-address":   {"host": "matrix.example.org"},
	"client-api-closed":       {"host": "matrix.example.org"},
	"openid-not-served":       {"address": "matrix.example.org:443"},
	"openid-strange":          {"address": "matrix.example.org:443"},
	"federation-dns":          {"address": "matrix.example.org:443"},
	"federation-tls":          {"address": "matrix.example.org:443"},
	"federation-unreachable":  {"address": "matrix.example.org:443"},
	"delegation-unread":       {"address": "example.org:8448"},
	"delegation-invalid":      {"address": "example.org:8448"},
	"delegation-doubtful":     {"address": "example.org:8448"},
	"not-federated":           {"address": "example.org:8448"},
	"other-server-name":       {"server": "matrix.example.org", "other": "example.org", "list": "example.org"},
	"wellknown-port":          {"server": "example.org:8448", "other": "https://example.org:8448/.well-known/matrix/client"},
	"wellknown-copies-differ": {"other": "matrix.example.org"},
	"wellknown-nested":        {"setting": "org.matrix.msc4143.rtc_foci"},
	"registration-open":       {"file": "/data/matrixrtc-auth-registration.yaml"},
	"hairpin":                 {"host": "jwt.example.org"},
	"client-api-strange":      {"leads": "m.homeserver.base_url in .well-known/matrix/client"},
	"clock-differs":           {"host": "jwt.example.org", "late": "5m0s ahead of this machine's"},
	"sfu-codecs":              {"kind": "sound", "codec": "audio/opus"},
	"app-service-not-ready":   {"remedy": "set url in the registration file to an address at which the homeserver reaches this service. (This is an example: doctor names what is wrong in your registration, and its remedy.)"},
	"webhook-way":             {"url": "https://www.example.org/sfu_webhook"},
	"sfu-url-strange":         {"other": "https://user@sfu.example.org"},
	"sfu-url-differs":         {"other": "wss://old.example.org"},
	"unfinished":              {"check": "homeserver.discovery"},
	"proxy-refuses":           ofService, "proxy-certificate": ofService, "proxy-size": ofService, "proxy-limits": ofService,
	"proxy-challenge": ofService, "proxy-login": ofService, "website-instead": ofService, "homeserver-instead": ofService, "answers-sometimes": ofService,
	"service-instead":     {"who": "LiveKit", "host": "sfu.example.org", "leads": "LIVEKIT_URL"},
	"livekit-instead":     {"who": "the homeserver", "host": "matrix.example.org", "leads": "m.homeserver.base_url in .well-known/matrix/client"},
	"user-other":          {"other": "@bob:example.org"},
	"listen-alone":        {"address": "127.0.0.1:8080"},
	"service-down":        {"address": "http://127.0.0.1:8080"},
	"livekit-redis":       {"address": "redis:6379"},
	"homeserver-silent":   {"address": "matrix.example.org:443"},
	"homeserver-down":     {"address": "matrix.example.org:443"},
	"prefix-too-much":     {"url": "https://jwt.example.org/livekit/jwt"},
	"prefix-not-stripped": {"url": "https://jwt.example.org/livekit/jwt"},
	"bare-prefix":         {"url": "https://jwt.example.org/livekit/jwt"},
	"bare-sfu-prefix":     {"url": "https://sfu.example.org/livekit/sfu"},
	"turn-no-address":     {"host": "turn.example.org"}, "turn-closed": {"host": "turn.example.org"}, "turn-refused": {"host": "turn.example.org"},
	"sfu-api-dns":     {"host": "old-livekit"},
	"sfu-api-connect": {"sfu": "http://livekit:7890"}, "sfu-api-timeout": {"sfu": "https://sfu.example.org"},
	"proxy-redirects": {"host": "jwt.example.org", "other": "https://www.example.org"},

	"public":  {"host": "jwt.example.org", "other": "https://jwt.example.org/livekit/jwt"},
	"service": {"host": "jwt.example.org", "other": "x-real-ip"},
	"user":    {"other": "wss://other.example.org"},
	"sfu": {"host": "sfu.example.org", "url": "https://sfu.example.org",
		"command": "matrixrtc-auth doctor --outside --server-name example.org --sfu-url wss://sfu.example.org"},
}

// derived returns the values of the placeholders apex and domain. Both are the
// host of the server name in v. If the host is an IP address, domain is an
// example instead, because remedies propose names below domain, like
// jwt.{domain}.
func derived(v engine.Vars) engine.Vars {
	host := HostOf(v["server"])
	if host == "" {
		host = examples["server"]
	}
	d := engine.Vars{"apex": host, "domain": host}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		d["domain"] = examples["server"]
	}
	return d
}

// HostOf returns the host of a server name, without the port. It returns "" if
// server is not a valid server name.
func HostOf(server string) string {
	name, err := matrix.ParseServerName(server)
	if err != nil {
		return ""
	}
	return name.Host()
}

// Fill replaces the placeholders in text. It takes the value of a placeholder
// from v, else from what derived returns for v, else from examples.
func Fill(text string, v engine.Vars) string {
	var pairs []string
	for _, from := range []engine.Vars{v, derived(v), examples} {
		for name, value := range from {
			pairs = append(pairs, "{"+name+"}", instruments.Clip(value)) // Clip, because another server may have sent the value
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
