package breakages

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/matrix"
)

// Each function in this file changes one thing in a deployment, or returns a function
// that makes such a change.

// change is a function that puts one fault into a deployment.
type change = func(d *deployment)

// This method replaces a text in the nginx server of a host. name is the host name
// before the domain, like "jwt.", or "" for the website.
func (d *deployment) at(name, old, with string) {
	begin := strings.Index(d.nginx, "server_name "+name+domain+";")
	if begin < 0 {
		panic("nginx has no server " + name + domain)
	}
	server := d.nginx[begin:]
	if next := strings.Index(server, "\nserver {"); next >= 0 {
		server = server[:next]
	}
	changed := server
	d.edit(&changed, old, with)
	d.nginx = d.nginx[:begin] + changed + d.nginx[begin+len(server):]
}

// inServer adds lines to the nginx server of a host. inLocation adds lines to the main
// location of that server.
func inServer(name, text string) change {
	return func(d *deployment) {
		server := "server_name " + name + domain + ";\n"
		d.at(name, server, server+text+"\n")
	}
}

func inLocation(name, text string) change {
	return func(d *deployment) { d.at(name, mainLocation(name), mainLocation(name)+"\n"+text) }
}

func mainLocation(name string) string {
	switch name {
	case "":
		return "location /.well-known/matrix/ {"
	case "matrix.":
		return "location ~ ^(/_matrix|/_synapse/client) {"
	}
	return "location / {"
}

// nginxAt replaces a text in the nginx server of a host.
func nginxAt(name, old, with string) change {
	return func(d *deployment) { d.at(name, old, with) }
}

// certificate gives the nginx server of a host another certificate.
func certificate(name, file string) change {
	return func(d *deployment) { d.at(name, filepath.Join(d.dir, "chain.pem"), filepath.Join(d.dir, file)) }
}

// This function replaces the main location in the nginx server of a host.
func instead(name, text string) change {
	return inServer(name, "location ~ ^/ { "+text+" }")
}

// The functions livekit, homeserver and client replace a text in livekit.yaml, in
// homeserver.yaml, and in the well-known file for clients.
func livekit(old, with string) change {
	return func(d *deployment) { d.edit(&d.livekit, old, with) }
}

func homeserver(old, with string) change {
	return func(d *deployment) { d.edit(&d.homeserver, old, with) }
}

func client(old, with string) change {
	return func(d *deployment) {
		text := d.website[".well-known/matrix/client"]
		d.edit(&text, old, with)
		d.website[".well-known/matrix/client"] = text
	}
}

// livekitDoomed replaces a text in livekit.yaml so that LiveKit does not start. The
// line broken tells the test not to wait for LiveKit.
func livekitDoomed(old, with string) change {
	return func(d *deployment) {
		d.edit(&d.livekit, old, with)
		d.livekit = broken + d.livekit
	}
}

// variable sets an environment variable of the service.
func variable(name, value string) change {
	return func(d *deployment) { d.service[name] = value }
}

// server replaces the content of the well-known file for homeservers.
func server(text string) change {
	return func(d *deployment) { d.website[".well-known/matrix/server"] = text }
}

// These two functions change the DNS records of a host: without removes all of them,
// and besides adds one.
func without(name string) change {
	return func(d *deployment) { delete(d.names, name+domain) }
}

func besides(name, address string) change {
	return func(d *deployment) {
		d.names[name+domain] = append([]netip.Addr{netip.MustParseAddr(address)}, d.names[name+domain]...)
	}
}

// This function keeps a program from running.
func down(name string) change {
	return func(d *deployment) { d.down = []string{name} }
}

// closing makes the kernel drop packets that match the rules.
func closing(rules ...string) change {
	return func(d *deployment) { d.closed = rules }
}

// behindHAProxy and behindCaddy replace a text in the configuration of a deployment
// whose reverse proxy is HAProxy or Caddy.
func behindHAProxy(old, with string) change {
	return func(d *deployment) {
		d.behindHAProxy()
		d.edit(&d.haproxy, strings.ReplaceAll(old, "DIR", d.dir), with)
	}
}

func behindCaddy(old, with string) change {
	return func(d *deployment) {
		d.behindCaddy()
		d.edit(&d.caddy, old, with)
	}
}

// This function combines several changes into one fault.
func together(changes ...change) change {
	return func(d *deployment) {
		for _, c := range changes {
			c(d)
		}
	}
}

// prefix makes clients look for the service below a path of the homeserver's host.
// location is the nginx location for that path.
func prefix(path, location string) change {
	return together(
		client("https://jwt."+domain, "https://matrix."+domain+path),
		homeserverTransports("https://matrix."+domain+path),
		inServer("matrix.", location),
	)
}

// homeserverTransports makes Synapse name another URL for the service to the clients
// that ask for /rtc/transports.
func homeserverTransports(url string) change {
	return func(d *deployment) {
		d.homeserver = strings.ReplaceAll(d.homeserver, "livekit_service_url: https://jwt."+domain, "livekit_service_url: "+url)
	}
}

func proxyTo(port int) string { return fmt.Sprintf("proxy_pass http://127.0.0.1:%d;", port) }

// This function starts a second LiveKit, which the service's configuration does not
// name.
func second(keys func(d *deployment) string) change {
	return func(d *deployment) { d.second = keys(d) }
}

func sameKeys(d *deployment) string { return d.keys }

func otherKeys(*deployment) string { return "other: another-secret-of-more-than-32-letters" }

// openKeyFile makes LiveKit read its keys from a file that everybody may read.
func openKeyFile(d *deployment) {
	d.website["keys.yaml"] = d.keys + "\n"
	livekitDoomed("\nlogging:", "\nkey_file: "+filepath.Join(d.dir, "www", "keys.yaml")+"\n\nlogging:")(d)
	d.keys = ""
}

// turnTLS makes LiveKit offer TURN over TLS at a host name that leads to nginx. If
// certificate is not "", nginx has a server with this certificate for the name.
func turnTLS(certificate string) change {
	return func(d *deployment) {
		livekit("udp_port: 3478", "udp_port: 3478\n  domain: turn."+domain+"\n  tls_port: 5349\n  external_tls: true")(d)
		d.names["turn."+domain] = d.names[domain]
		if certificate != "" {
			d.nginx += fmt.Sprintf("server {\nlisten %s:443 ssl;\nserver_name turn.%s;\nssl_certificate %s;\nssl_certificate_key %s;\n}\n",
				public, domain, filepath.Join(d.dir, certificate), filepath.Join(d.dir, "key.pem"))
		}
	}
}

// registered makes the service an application service of Synapse. Synapse forwards
// requests that are meant for the service to the given URL. The service sends its own
// requests to Synapse directly and not through nginx, because nginx starts only after
// Synapse.
func registered(url string) change {
	return func(d *deployment) {
		name, err := matrix.ParseServerName(domain)
		d.must(err)
		file := filepath.Join(d.dir, "registration.yaml")
		d.registration = string(appservice.New(appservice.Wish{Server: name, URL: url}).Text())
		homeserver("  msc4143_enabled: true\n", "  msc4143_enabled: true\n  msc4502_enabled: true\n  msc4512_enabled: true\n")(d)
		d.homeserver += "\napp_service_config_files: [" + file + "]\n"
		d.service["LIVEKIT_HS_SERVER_NAME"] = domain
		d.service["LIVEKIT_CS_API_URL_OVERRIDES"] = domain + "=" + synapseURL
		d.service["LIVEKIT_AS_REGISTRATION_FILE"] = file
	}
}

// redisOf makes the service keep its jobs in Redis. r is the state of that Redis.
func redisOf(r redis) change {
	return func(d *deployment) {
		d.redis = r
		d.service["LIVEKIT_STORE"], d.service["LIVEKIT_REDIS_URL"] = "redis", "redis://"+redisAddress
	}
}

// srv replaces the well-known file for homeservers by an SRV record.
func srv(service, target string, port uint16) change {
	return func(d *deployment) {
		delete(d.website, ".well-known/matrix/server")
		d.srv = map[string]dnsmessage.SRVResource{service + "." + domain: {Target: dnsmessage.MustNewName(target + "."), Port: port}}
	}
}

// This function returns a change that stops a program (SIGSTOP), so that the
// program does not answer.
func hangs(name string) change {
	return func(d *deployment) { d.hanging = []string{name} }
}

// hangsAt makes nginx pass requests for a location to a port that never answers.
func hangsAt(name, location string) change {
	return together(inServer(name, "location "+location+" { "+proxyTo(8099)+" }"), closing("-p tcp --dport 8099"))
}

// refused sets a variable of the service to a value that keeps the service from
// starting.
func refused(name, value string) change {
	return together(variable(name, value), dies)
}

// dies marks a deployment in which the service does not start. Without this mark, the
// test would wait for the service.
func dies(d *deployment) { d.service["REFUSED"] = "1" }

// otherRegistration makes two registration files with different tokens. The service
// reads one of them, and Synapse reads the other one.
func otherRegistration(d *deployment) {
	registered("http://127.0.0.1:8080")(d)
	d.own = d.registration
	registered("http://127.0.0.1:8080")(d)
}

// redirectsToTLS makes nginx redirect requests at port 80 to port 443.
func redirectsToTLS(d *deployment) {
	d.nginx += "server {\nlisten " + public + ":80;\nreturn 301 https://$host$request_uri;\n}\n"
}

// smallPackets makes the kernel drop packets to and from port 443 that are larger than
// 1280 bytes.
func smallPackets(d *deployment) {
	closing("-p tcp --sport 443 -m length --length 1281:65535", "-p tcp --dport 443 -m length --length 1281:65535")(d)
}
