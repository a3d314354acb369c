package stack

import (
	"fmt"
	"strings"
)

// The names of docs/ are those of example.org. A stack has those of a domain
// that nobody can own, and only its browsers find them.
const (
	docsDomain = "example.org"
	// Domain is that of a stack which is alone.
	Domain = "example.test"
)

// Layout says at which addresses clients reach the parts of a stack, and what
// nginx needs for that.
type Layout struct {
	ServerName string // of the homeserver
	Homeserver string // base URL of the Client-Server API
	Service    string // livekit_service_url
	SFU        string // LIVEKIT_URL
	Page       string // of the page that holds Element Call
	// Names are the host names in these addresses.
	Names []string

	domain  string
	servers func(site) (string, error)
}

// site is what a layout's servers are made of.
type site struct {
	docs                     Docs
	domain                   string
	listen                   string // the address of nginx
	service, sfu, homeserver string // addresses
	certificate, key         string // paths
	page                     page
	web                      string // directory with the well-known file, as the server name's website has it
}

// SubDomains is the layout of the deployment of docs/synology.md: jwt. and sfu.
// are hosts of their own.
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

// Prefixes is the layout with one host and path prefixes: the nginx server as it
// stands in docs/proxies.md, with the homeserver's own location added. A slash
// at the end of the service's URL is what many well-known files have. Synapse
// serves that file, with the addition of docs/homeserver.md.
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

// Written is the layout of a deployment that setup wrote for the sub-domains
// jwt. and sfu. of Domain. config is its nginx.conf.example.
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

// DSM is the layout of the deployment of docs/synology.md, behind DSM's reverse
// proxy. config is its reconstruction; webSocket says whether the entry sfu. has
// the custom headers.
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

// webSocketComment stands where DSM writes the custom headers.
const webSocketComment = "# custom headers: WebSocket"

// Loopback is the layout for any browser of this machine: one plain HTTP
// address, which browsers trust like HTTPS because it is loopback. https, if it
// is not empty, is the address with port 443 where the server name's website is.
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

// homeserverComment stands in the server of docs/proxies.md where the user's
// own locations are.
const homeserverComment = "# Synapse's own locations stay as they are."

// prefixes returns the nginx block of docs/proxies.md with the names, ports and
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

// moved replaces names, ports and paths of the nginx blocks of docs/.
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

// subDomain gives a location of the page's prefixes a server of its own.
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

// homeserverServers are that of the server name, which has nothing but the
// well-known file, as the docs say; the homeserver's; and the page's.
func (s site) homeserverServers() (string, error) {
	wellKnown, err := s.docs.Block("nginx", "location = /.well-known/matrix/client")
	return s.server(s.domain, s.moved(wellKnown)) +
		s.server("matrix."+s.domain, s.homeserverLocation()) +
		s.server("call."+s.domain, s.pageLocations()), err
}

// homeserverLocation is what Synapse's documentation gives to nginx.
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

// withoutTLS makes a server listen in the clear.
func withoutTLS(servers string) string {
	var kept []string
	for line := range strings.Lines(servers) {
		if !strings.HasPrefix(strings.TrimSpace(line), "ssl_") {
			kept = append(kept, strings.Replace(line, " ssl;", ";", 1))
		}
	}
	return strings.Join(kept, "")
}
