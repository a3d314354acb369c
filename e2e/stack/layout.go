package stack

import (
	"fmt"
	"strings"
)

// docsDomain is the domain of the host names in docs/. A stack uses another domain,
// which nobody can own and which only the stack's browsers resolve.
const (
	docsDomain = "example.org"
	// Domain is the usual domain of a stack. A test with several stacks needs more
	// domains.
	Domain = "example.test"
)

// Layout has the URLs at which clients reach the parts of a stack, and makes the nginx
// configuration for these URLs.
type Layout struct {
	ServerName string // the homeserver's server name
	Homeserver string // the base URL of the Client-Server API
	Service    string // the livekit_service_url in the well-known file, and in the homeserver's transports
	SFU        string // the value of LIVEKIT_URL
	Page       string // the URL of the page that shows Element Call
	// Names are the host names in the URLs of this layout.
	Names []string

	domain  string
	servers func(site) (string, error)
}

// site has the values that the nginx servers of a layout need.
type site struct {
	docs                     Docs
	domain                   string
	listen                   string // the address at which nginx listens
	service, sfu, homeserver string // the addresses of the parts behind nginx
	certificate, key         string // the paths of nginx's TLS certificate and of its private key
	page                     page
	web                      string // the directory of the server name's website, with the well-known file
}

// SubDomains returns the layout of docs/synology.md. The host names are jwt. for the
// service and sfu. for LiveKit, both below the domain.
func SubDomains(domain string) Layout {
	l := secure(domain)
	l.Service, l.SFU = "https://jwt."+domain, "wss://sfu."+domain
	l.Names = append(l.Names, "jwt."+domain, "sfu."+domain)
	l.servers = func(s site) (string, error) {
		jwt, err := s.subDomain("jwt")
		if err != nil {
			return "", err
		}
		sfu, err := s.subDomain("sfu")
		if err != nil {
			return "", err
		}
		others, err := s.homeserverServers()
		return jwt + sfu + others, err
	}
	return l
}

// Prefixes returns a layout with one host name and path prefixes. It uses the nginx
// server of docs/proxies.md, with a location for the homeserver. The service's URL ends
// in a slash, as in many well-known files. Synapse serves the well-known file, with the
// settings that docs/homeserver.md adds.
func Prefixes() Layout {
	l := secure(Domain)
	l.Service, l.SFU = l.Homeserver+"/livekit/jwt/", "wss://matrix."+Domain+"/livekit/sfu"
	l.servers = func(s site) (string, error) {
		block, err := s.prefixes()
		if err != nil {
			return "", err
		}
		server := strings.Replace(block, homeserverComment, s.homeserverLocation(), 1)
		return server + s.server(Domain, s.homeserverLocation()) + s.server("call."+Domain, s.pageLocations()), nil
	}
	return l
}

// Written returns the layout of a deployment that setup wrote. Its host names are jwt.
// and sfu. below Domain. config is the text of the nginx.conf.example that setup wrote.
func Written(config string) Layout {
	l := SubDomains(Domain)
	l.servers = func(s site) (string, error) {
		for _, name := range []string{"jwt." + Domain, "sfu." + Domain} {
			live := "/etc/letsencrypt/live/" + name + "/"
			config = strings.NewReplacer(live+"fullchain.pem", s.certificate, live+"privkey.pem", s.key).Replace(config)
		}
		config = strings.ReplaceAll(config, "    listen [::]:443 ssl;\n", "")
		others, err := s.homeserverServers()
		return s.moved(config) + others, err
	}
	return l
}

// DSM returns the layout of docs/synology.md behind the reverse proxy of Synology's
// DSM. config imitates the nginx configuration of that proxy. If webSocket is true, the
// server for the SFU's host name has the custom headers for WebSockets.
func DSM(config string, webSocket bool) Layout {
	l := SubDomains(Domain)
	l.servers = func(s site) (string, error) {
		if webSocket {
			config = strings.Replace(config, webSocketComment,
				"proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $connection_upgrade;", 1)
		}
		others, err := s.homeserverServers()
		return s.moved(config) + others, err
	}
	return l
}

// webSocketComment is a comment in the DSM configuration, at the place for the custom
// headers.
const webSocketComment = "# custom headers: WebSocket"

// Loopback returns a layout for all browsers on this machine. Its only URL is a plain
// HTTP address on loopback, which browsers trust like HTTPS. The parameter https is the
// address of a website at port 443 for the server name. If https is "", there is no
// website.
func Loopback(address, https string) Layout {
	const name = "localhost"
	return Layout{
		domain:     Domain,
		ServerName: name,
		Homeserver: "http://" + address,
		Service:    "http://" + address + "/livekit/jwt",
		SFU:        "ws://" + address + "/livekit/sfu",
		Page:       "http://" + address,
		Names:      []string{name},
		servers: func(s site) (string, error) {
			block, err := s.prefixes()
			if err != nil {
				return "", err
			}
			block = withoutTLS(strings.Replace(block, homeserverComment, s.homeserverLocation()+s.pageLocations(), 1))
			if https != "" {
				s.listen = https
				block += s.server(name, s.homeserverLocation()+
					`location = /.well-known/matrix/server { default_type application/json; return 200 '{"m.server":"`+name+`:443"}'; }`)
			}
			return block, nil
		},
	}
}

func secure(domain string) Layout {
	return Layout{
		domain:     domain,
		ServerName: domain,
		Homeserver: "https://matrix." + domain,
		Page:       "https://call." + domain,
		Names:      []string{domain, "matrix." + domain, "call." + domain},
	}
}

// homeserverComment is a comment in docs/proxies.md, at the place for the homeserver's
// locations.
const homeserverComment = "# Synapse's own locations stay as they are."

// prefixes returns the nginx block of docs/proxies.md, with the host names, ports and
// paths of the site.
func (s site) prefixes() (string, error) {
	block, err := s.docs.Block("nginx", "location /livekit/jwt/")
	if err != nil {
		return "", err
	}
	if !strings.Contains(block, homeserverComment) {
		return "", fmt.Errorf("the nginx block of docs/proxies.md does not say %q", homeserverComment)
	}
	return s.moved(block), nil
}

// moved replaces the host names, ports and paths in nginx blocks of docs/ by those of
// the site.
func (s site) moved(block string) string {
	const live = "/etc/letsencrypt/live/matrix." + docsDomain + "/"
	return strings.NewReplacer(
		"listen 443 ssl", "listen "+s.listen+" ssl",
		live+"fullchain.pem", s.certificate,
		live+"privkey.pem", s.key,
		"127.0.0.1:8080", s.service,
		"127.0.0.1:7880", s.sfu,
		"/var/www/"+docsDomain, s.web,
		docsDomain, s.domain,
	).Replace(block)
}

// subDomain returns an nginx server with its own host name for the service ("jwt") or
// LiveKit ("sfu"). It takes the directives from the nginx location for this part in
// docs/proxies.md.
func (s site) subDomain(part string) (string, error) {
	block, err := s.prefixes()
	if err != nil {
		return "", err
	}
	location, err := directive(block, "location /livekit/"+part+"/")
	if err != nil {
		return "", err
	}
	server := s.server(part+"."+s.domain, "location / {"+location+"}")
	if part != "sfu" {
		return server, nil
	}
	api, err := directive(block, "location /livekit/sfu/twirp/")
	if err != nil {
		return "", err
	}
	server = s.server(part+"."+s.domain, "location / {"+location+"}\nlocation /twirp/ {"+api+"}")
	upgrade, err := directive(block, "map $http_upgrade $connection_upgrade")
	return "map $http_upgrade $connection_upgrade {" + upgrade + "}\n" + server, err
}

func (s site) server(name, locations string) string {
	return fmt.Sprintf("server {\nlisten %s ssl;\nserver_name %s;\nssl_certificate %s;\nssl_certificate_key %s;\n%s\n}\n",
		s.listen, name, s.certificate, s.key, locations)
}

// homeserverServers returns three nginx servers. One is for the server name and serves
// only the well-known file. The others are for the homeserver, and for the page with
// Element Call.
func (s site) homeserverServers() (string, error) {
	wellKnown, err := s.docs.Block("nginx", "location = /.well-known/matrix/client")
	return s.server(s.domain, s.moved(wellKnown)) +
		s.server("matrix."+s.domain, s.homeserverLocation()) +
		s.server("call."+s.domain, s.pageLocations()), err
}

// homeserverLocation returns the nginx location for the homeserver. It is the location
// that Synapse's documentation recommends.
func (s site) homeserverLocation() string {
	return fmt.Sprintf(`location ~ ^(/_matrix|/_synapse/client|/\.well-known/matrix) {
    proxy_pass http://%s;
    proxy_http_version 1.1;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Host $host:$server_port;
    client_max_body_size 50M;
}
`, s.homeserver)
}

func (s site) pageLocations() string {
	return fmt.Sprintf("location = /ec/config.json { alias %s; }\nlocation /ec/ { alias %s/; }\nlocation / { root %s; }\n",
		s.page.config, s.page.elementCall, s.page.index)
}

// withoutTLS changes nginx servers so that they listen without TLS.
func withoutTLS(servers string) string {
	var kept []string
	for line := range strings.Lines(servers) {
		if !strings.HasPrefix(strings.TrimSpace(line), "ssl_") {
			kept = append(kept, strings.Replace(line, " ssl;", ";", 1))
		}
	}
	return strings.Join(kept, "")
}
