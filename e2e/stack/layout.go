package stack

import (
	"fmt"
	"strings"
)

// The names in docs/ are below example.org. A stack uses names below another
// domain instead, which nobody can own and which only its browsers resolve.
const (
	docsDomain = "example.org"
	// Domain is the domain of a stack, unless a test runs several stacks.
	Domain = "example.test"
)

// Layout says under which URLs clients reach the parts of a stack, and has the
// nginx configuration for that.
type Layout struct {
	ServerName string // the homeserver's server name
	Homeserver string // the base URL of the Client-Server API
	Service    string // the livekit_service_url in the homeserver's transports and in the well-known file
	SFU        string // the value of LIVEKIT_URL
	Page       string // the URL of the page in which Element Call runs
	// Names are the host names in the URLs above.
	Names []string

	domain  string
	servers func(site) (string, error)
}

// site has the values that a layout's nginx servers need.
type site struct {
	docs                     Docs
	domain                   string
	listen                   string // the address of nginx
	service, sfu, homeserver string // the addresses of the parts behind nginx
	certificate, key         string // paths of files
	page                     page
	web                      string // the directory with the well-known file, for the server name's website
}

// SubDomains returns the layout of docs/synology.md, in which jwt. and sfu.
// are host names of their own.
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

// Prefixes returns the layout with one host name and path prefixes: the nginx
// server of docs/proxies.md, with a location for the homeserver. The service's
// URL ends in a slash, as in many well-known files. Synapse serves the
// well-known file, with the addition of docs/homeserver.md.
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

// Written returns the layout of a deployment that setup wrote, with the host
// names jwt. and sfu. below Domain. config is the nginx.conf.example that
// setup wrote.
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

// DSM returns the layout of docs/synology.md behind the reverse proxy of
// Synology's DSM. Its nginx configuration is a reconstruction of that proxy's.
// webSocket says whether the entry for sfu. has the custom headers for
// WebSockets.
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

// webSocketComment is the comment at the place at which DSM writes the custom
// headers.
const webSocketComment = "# custom headers: WebSocket"

// Loopback returns the layout for every browser on this machine: a single
// plain HTTP address on loopback, which browsers trust like HTTPS. https is
// the address of the server name's website at port 443; "" for none.
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

// homeserverComment is the comment in docs/proxies.md at the place of users'
// own nginx locations.
const homeserverComment = "# Synapse's own locations stay as they are."

// prefixes returns the nginx block of docs/proxies.md, with the site's names,
// ports and paths.
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

// moved replaces the names, ports and paths of docs/ in nginx blocks by those
// of the site.
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

// subDomain makes a server for a host name of its own from a location of
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

// homeserverServers returns three nginx servers: one for the server name,
// which serves only the well-known file; one for the homeserver; and one for
// the page with Element Call.
func (s site) homeserverServers() (string, error) {
	wellKnown, err := s.docs.Block("nginx", "location = /.well-known/matrix/client")
	return s.server(s.domain, s.moved(wellKnown)) +
		s.server("matrix."+s.domain, s.homeserverLocation()) +
		s.server("call."+s.domain, s.pageLocations()), err
}

// homeserverLocation returns the nginx location that Synapse's documentation
// recommends.
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

// withoutTLS makes servers listen without TLS.
func withoutTLS(servers string) string {
	var kept []string
	for line := range strings.Lines(servers) {
		if !strings.HasPrefix(strings.TrimSpace(line), "ssl_") {
			kept = append(kept, strings.Replace(line, " ssl;", ";", 1))
		}
	}
	return strings.Join(kept, "")
}
