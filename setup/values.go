package setup

import (
	"fmt"
	"strconv"
	"strings"
)

// values returns the values for the templates, by name. A value is empty if the
// plan lacks the part that the value describes. The templates test for an empty
// value with {{if}}.
func (p plan) values() map[string]string {
	hosts := p.Hosts()
	v := map[string]string{
		"SingleHost": p.SingleHost, "JWTHost": p.JWTHost, "SFUHost": p.SFUHost,
		"JWTURL": p.JWTURL(), "SFUURL": p.SFUURL(), "HomeserverURL": p.homeserverURLs(), "HomeserverNetwork": p.HomeserverNetwork,
		"AppService": p.AppServiceURL, "LiveKitURL": p.LiveKitURL(), "Registration": registrationFile,
		"Hosts": strings.Join(hosts, ", "), "HostsInText": strings.Join(hosts, " and "),
		"MediaHost": p.MediaHost(), "Media": fmt.Sprintf("%d–%d", p.Media.First, p.Media.Last),
		"JWTPort": strconv.Itoa(p.JWTPort), "Relay": "",
		"TURN": "", "TURNTLS": p.TURNTLS, "Certificate": string(p.Certificate),
		"Lookups":      lookups(hosts, p.TURNTLS),
		"SingleServer": nginxServer(p.SingleHost), "JWTServer": nginxServer(p.JWTHost), "SFUServer": nginxServer(p.SFUHost),
		"JWTHeaders": indented(nginxJWT, 8), "SFUHeaders": indented(nginxSFU("$connection_upgrade"), 8),
		// A snippet for an existing server block must not use the map
		// $connection_upgrade, because that block's file may lack it.
		"JWTHeadersSnippet": indented(nginxJWT, 4), "SFUHeadersSnippet": indented(nginxSFU(`"upgrade"`), 4),
		"CaddyRoutes": fmt.Sprintf(caddyRoutes, p.JWTPort), "Snippet": "",
		"TraefikJWTRule": p.traefikRule(p.JWTHost, jwtPrefix, ""), "TraefikSFURule": p.traefikRule(p.SFUHost, sfuPrefix, "/twirp"),
	}
	if p.SingleHost != "" && !p.serverBlock {
		v["Snippet"] = "yes"
	}
	if p.TURN {
		v["TURN"] = "yes"
	}
	if p.Relays() {
		v["Relay"] = fmt.Sprintf("%d–%d", p.Relay.First, p.Relay.Last)
	}
	return v
}

// lookups returns the commands that print the addresses of the host names.
func lookups(hosts []string, turn string) string {
	text := "nslookup " + strings.Join(hosts, "\nnslookup ")
	if turn != "" {
		text += "\nnslookup " + turn
	}
	return text
}

// nginxServer returns the beginning of nginx's server block for a host.
func nginxServer(host string) string {
	return fmt.Sprintf(`server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name %[1]s;
    ssl_certificate     /etc/letsencrypt/live/%[1]s/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/%[1]s/privkey.pem;`, host)
}

// nginxJWT has nginx's header lines for requests to this service and to
// LiveKit. The lines replace the client's own X-Real-IP and X-Forwarded-For. If
// nginx only appended to these headers, a client could forge its address.
const nginxJWT = `proxy_set_header Host $host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;`

// nginxSFU returns nginx's lines for requests to LiveKit. connection is the
// value of the header Connection.
func nginxSFU(connection string) string {
	return `# Without the next three lines, calls stay at "connecting".
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection ` + connection + `;
` + nginxJWT + `
proxy_read_timeout 120s;
proxy_send_timeout 120s;
proxy_buffering off;`
}

// indented returns text with that many blanks before each line.
func indented(text string, blanks int) string {
	margin := strings.Repeat(" ", blanks)
	return margin + strings.ReplaceAll(text, "\n", "\n"+margin)
}

// caddyRoutes are Caddy's lines for a single host name. The %d in them stands
// for this service's port.
const caddyRoutes = `	# Caddy removes the prefix, also from a path that has only the prefix.
	@jwt path /livekit/jwt /livekit/jwt/*
	handle @jwt {
		uri strip_prefix /livekit/jwt
		reverse_proxy 127.0.0.1:%d {
			header_up X-Real-IP {remote_host}
			header_up X-Forwarded-For {remote_host}
		}
	}
	@sfu path /livekit/sfu /livekit/sfu/*
	handle @sfu {
		uri strip_prefix /livekit/sfu
		# LiveKit's API is closed here: only the service needs it, and connects directly.
		respond /twirp/* 404
		reverse_proxy 127.0.0.1:7880 {
			header_up X-Real-IP {remote_host}
			header_up X-Forwarded-For {remote_host}
		}
	}`

// traefikRule returns Traefik's rule for the requests that it forwards to a
// program: all requests to host. If both programs share a host name, the rule
// is only for requests below prefix. If closed is not empty, the rule excludes
// requests below this path.
func (p plan) traefikRule(host, prefix, closed string) string {
	rule := "Host(`" + host + "`)"
	if p.SingleHost != "" {
		rule = "Host(`" + p.SingleHost + "`) && (Path(`" + prefix + "`) || PathPrefix(`" + prefix + "/`))"
		closed = strings.Replace(closed, "/", prefix+"/", 1)
	}
	if closed != "" {
		rule += " && !PathPrefix(`" + closed + "`)"
	}
	return rule
}
