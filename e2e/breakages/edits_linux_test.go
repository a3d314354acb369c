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

// The functions here change one thing of a deployment, or return what does.

// change is what a breakage makes of a deployment.
type change = func(d *deployment)

// at edits the nginx server of a name, like "jwt." or "" for the server name's.
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

// inServer adds to the server of a name, inLocation to its main location.
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

// nginxAt replaces in the server of a name.
func nginxAt(name, old, with string) change {
	return func(d *deployment) { d.at(name, old, with) }
}

// certificate gives the server of a name another certificate.
func certificate(name, file string) change {
	return func(d *deployment) { d.at(name, filepath.Join(d.dir, "chain.pem"), filepath.Join(d.dir, file)) }
}

// instead has the server of a name do something else than it should.
func instead(name, text string) change {
	return inServer(name, "location ~ ^/ { "+text+" }")
}

// livekit, homeserver and client replace in livekit.yaml, homeserver.yaml and
// the well-known file for clients.
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

// livekitDoomed is an edit with which LiveKit does not start.
func livekitDoomed(old, with string) change {
	return func(d *deployment) {
		d.edit(&d.livekit, old, with)
		d.livekit = broken + d.livekit
	}
}

// variable sets one of the service's.
func variable(name, value string) change {
	return func(d *deployment) { d.service[name] = value }
}

// server replaces the well-known file for homeservers.
func server(text string) change {
	return func(d *deployment) { d.website[".well-known/matrix/server"] = text }
}

// without has no record of a name, besides adds one.
func without(name string) change {
	return func(d *deployment) { delete(d.names, name+domain) }
}

func besides(name, address string) change {
	return func(d *deployment) {
		d.names[name+domain] = append([]netip.Addr{netip.MustParseAddr(address)}, d.names[name+domain]...)
	}
}

// down has a program not run.
func down(name string) change {
	return func(d *deployment) { d.down = []string{name} }
}

// closing has packets dropped.
func closing(rules ...string) change {
	return func(d *deployment) { d.closed = rules }
}

// behind another proxy the change is made to its configuration.
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

// all makes several changes, which are one fault together.
func together(changes ...change) change {
	return func(d *deployment) {
		for _, c := range changes {
			c(d)
		}
	}
}

// prefix has clients look for the service below a path of the homeserver's host,
// where location is what nginx has.
func prefix(path, location string) change {
	return together(
		client("https://jwt."+domain, "https://matrix."+domain+path),
		homeserverTransports("https://matrix."+domain+path),
		inServer("matrix.", location),
	)
}

// homeserverTransports has Synapse tell new clients another address.
func homeserverTransports(url string) change {
	return func(d *deployment) {
		d.homeserver = strings.ReplaceAll(d.homeserver, "livekit_service_url: https://jwt."+domain, "livekit_service_url: "+url)
	}
}

func proxyTo(port int) string { return fmt.Sprintf("proxy_pass http://127.0.0.1:%d;", port) }

// second runs another LiveKit beside the one that the service knows.
func second(keys func(d *deployment) string) change {
	return func(d *deployment) { d.second = keys(d) }
}

func sameKeys(d *deployment) string { return d.keys }

func otherKeys(*deployment) string { return "other: another-secret-of-more-than-32-letters" }

// openKeyFile has LiveKit take its keys from a file that everybody may read.
func openKeyFile(d *deployment) {
	d.website["keys.yaml"] = d.keys + "\n"
	livekitDoomed("\nlogging:", "\nkey_file: "+filepath.Join(d.dir, "www", "keys.yaml")+"\n\nlogging:")(d)
	d.keys = ""
}

// turnTLS has LiveKit hand out TURN over TLS, at a name that leads to nginx, which
// has a certificate for it or none.
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

// registered has the service be an application service of Synapse, which passes
// requests on to the URL. It asks Synapse past nginx, which starts after it.
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

// redisOf has the service keep leaves in a Redis.
func redisOf(r redis) change {
	return func(d *deployment) {
		d.redis = r
		d.service["LIVEKIT_STORE"], d.service["LIVEKIT_REDIS_URL"] = "redis", "redis://"+redisAddress
	}
}

// srv has a SRV record in the place of the well-known file for homeservers.
func srv(service, target string, port uint16) change {
	return func(d *deployment) {
		delete(d.website, ".well-known/matrix/server")
		d.srv = map[string]dnsmessage.SRVResource{service + "." + domain: {Target: dnsmessage.MustNewName(target + "."), Port: port}}
	}
}

// hangs has a program do nothing any more.
func hangs(name string) change {
	return func(d *deployment) { d.hanging = []string{name} }
}

// hangsAt has nginx wait for a program that nobody reaches.
func hangsAt(name, location string) change {
	return together(inServer(name, "location "+location+" { "+proxyTo(8099)+" }"), closing("-p tcp --dport 8099"))
}

// refused sets a variable of the service so that it does not start.
func refused(name, value string) change {
	return together(variable(name, value), dies)
}

// dies says that the service does not start: nobody waits for it.
func dies(d *deployment) { d.service["REFUSED"] = "1" }

// otherRegistration has the service read an old copy of what Synapse reads.
func otherRegistration(d *deployment) {
	registered("http://127.0.0.1:8080")(d)
	d.own = d.registration
	registered("http://127.0.0.1:8080")(d)
}

// redirectsToTLS has nginx send everybody from port 80 to 443.
func redirectsToTLS(d *deployment) {
	d.nginx += "server {\nlisten " + public + ":80;\nreturn 301 https://$host$request_uri;\n}\n"
}

// smallPackets drops the large ones to and from the reverse proxy.
func smallPackets(d *deployment) {
	closing("-p tcp --sport 443 -m length --length 1281:65535", "-p tcp --dport 443 -m length --length 1281:65535")(d)
}
