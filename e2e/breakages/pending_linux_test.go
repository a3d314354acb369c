package breakages

// pending are breakages with what doctor should say, and does not yet: it tells
// one fault twice, or names another one.
var pending = []breakage{
	{"DNS: `matrix.` has no record", without("matrix."), "client-api-unreachable", "client-api-unreachable"},
	{"DNS: `matrix.` has an AAAA record at which nobody is", besides("matrix.", deadIPv6), "dead-ipv6", "dead-ipv6"},
	{"the reverse proxy does not run", down("nginx"), "apex-closed", "apex-closed"},
	{"the router does not forward 443/tcp", closing("-p tcp --dport 443"), "hairpin", "apex-closed"},
	{"certificate: that of `matrix.` has expired", certificate("matrix.", "expired.pem"), "tls-expired", "tls-expired"},
	{"Synapse: the proxy wants a login", inServer("matrix.", "location ^~ /_matrix { return 302 https://login.example.org/; }"), "proxy-login", "proxy-login"},
	{"nginx, `jwt.`: a rate limit (503)", func(d *deployment) {
		d.nginx = "limit_req_zone $host zone=one:1m rate=1r/m;\n" + d.nginx
		inLocation("jwt.", "limit_req zone=one;")(d)
	}, "proxy-limits", "proxy-limits"},
	{"nginx, `jwt.`: a rate limit (429)", func(d *deployment) {
		d.nginx = "limit_req_zone $host zone=one:1m rate=1r/m;\n" + d.nginx
		inLocation("jwt.", "limit_req zone=one; limit_req_status 429;")(d)
	}, "proxy-limits", "proxy-limits"},
	{"nginx, `jwt.`: redirects POST (301)", inLocation("jwt.", "if ($request_method = POST) { return 301 https://jwt.example.org/app$request_uri; }"), "post-not-passed", "post-not-passed"},
	{"HAProxy: no TLS", behindHAProxy(" ssl crt DIR/haproxy.pem", ""), "tls-none", "tls-none"},
	{"livekit.yaml: `node_ip` is a private address", livekit("node_ip: "+public, "node_ip: 10.0.0.7"), "candidates-private", ""},
	{"livekit.yaml: `node_ip` is an old address", livekit("node_ip: "+public, "node_ip: 203.0.113.99"), "candidates-elsewhere", ""},
	{"`LIVEKIT_FULL_ACCESS_HOMESERVERS` is the host for clients", variable("LIVEKIT_FULL_ACCESS_HOMESERVERS", "matrix.example.org"), "own-server-missing", ""},
}
