package setup

import (
	"fmt"
	"strconv"
	"strings"
)

// values are what the templates fill in, by name. Those that stand after an if
// are empty when the plan has no such thing.
func (p plan) values() map[string]string {
	hosts := p.Hosts()
	v := map[string]string{
		"SingleHost": p.SingleHost, "JWTHost": p.JWTHost, "SFUHost": p.SFUHost,
		"JWTURL": p.JWTURL(), "SFUURL": p.SFUURL(), "HomeserverURL": p.HomeserverURL,
		"AppService": p.AppServiceURL, "LiveKitURL": p.LiveKitURL(), "Registration": registrationFile,
		"Hosts": strings.Join(hosts, ", "), "HostsInText": strings.Join(hosts, " and "),
		"MediaHost": p.MediaHost(), "Media": fmt.Sprintf("%d–%d", p.Media.First, p.Media.Last),
		"JWTPort": strconv.Itoa(p.JWTPort), "Relay": "",
		"TURN": "", "TURNTLS": p.TURNTLS, "Certificate": string(p.Certificate),
		"Lookups":      lookups(hosts, p.TURNTLS),
		"SingleServer": nginxServer(p.SingleHost), "JWTServer": nginxServer(p.JWTHost), "SFUServer": nginxServer(p.SFUHost),
		"JWTHeaders": nginxJWT, "SFUHeaders": nginxSFU,
	}
	if p.TURN {
		v["TURN"] = "yes"
	}
	if p.Relays() {
		v["Relay"] = fmt.Sprintf("%d–%d", p.Relay.First, p.Relay.Last)
	}
	return v
}

// lookups are the commands that show where the names lead.
func lookups(hosts []string, turn string) string {
	text := "nslookup " + strings.Join(hosts, "\nnslookup ")
	if turn != "" {
		text += "\nnslookup " + turn
	}
	return text
}

// nginxServer is the beginning of nginx's server block for a host.
func nginxServer(host string) string {
	return fmt.Sprintf(`server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name %[1]s;
    ssl_certificate     /etc/letsencrypt/live/%[1]s/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/%[1]s/privkey.pem;`, host)
}

// What nginx passes on to this service and to LiveKit. It replaces both headers
// that tell the client: appended to what a client sends, they could be forged.
const (
	nginxJWT = `        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;`
	nginxSFU = `        # Without these three, calls hang at "connecting".
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
` + nginxJWT + `
        proxy_read_timeout 120s;
        proxy_send_timeout 120s;
        proxy_buffering off;`
)
