package browser_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestSetupNginx runs nginx with the nginx.conf.example that setup writes. It replaces
// only the addresses, and the paths of the certificates.
func TestSetupNginx(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			p := newProxy(t, l)
			cert, key := p.certificate()
			servers := ""
			if l.snippet {
				servers = p.nginxBlock(cert, key)
			} else {
				servers = p.nginxServers(cert, key)
			}
			config := p.write("nginx.conf", []byte(nginxAround(p.work, servers)))
			args := []string{"-e", filepath.Join(p.work, "error.log"), "-p", p.work, "-c", config}
			p.run("nginx", append(args, "-t")...)
			p.start("nginx", append(args, "-g", "daemon off; master_process off;")...)
			p.check("https")
		})
	}
}

// nginxServers returns the server blocks that setup wrote. It replaces the certificates
// and the addresses in them.
func (p *proxy) nginxServers(cert, key string) string {
	replace := append(p.backend, "    listen 443 ssl;\n    listen [::]:443 ssl;\n", "    listen "+p.address+" ssl;\n")
	for _, host := range p.layout.hosts {
		live := "/etc/letsencrypt/live/" + host
		replace = append(replace, live+"/fullchain.pem", cert, live+"/privkey.pem", key)
	}
	return p.file("nginx.conf.example", replace...)
}

// nginxBlock returns the server block of a homeserver. The homeserver's own
// locations match all paths, and one of them is a regular expression. The lines
// that setup wrote are at the end of the block, and must take precedence.
func (p *proxy) nginxBlock(cert, key string) string {
	return "server {\nlisten " + p.address + " ssl;\nserver_name " + p.layout.hosts[0] + ";\n" +
		"ssl_certificate " + cert + ";\nssl_certificate_key " + key + ";\n" +
		"location / { return 200 homeserver; }\nlocation ~ /(sfu|jwt)/ { return 200 pattern; }\n" +
		p.file("nginx.conf.example", p.backend...) + "}\n"
}

// nginxAround returns a complete nginx configuration that contains the servers. With
// it, nginx writes only into the directory at the path work.
func nginxAround(work, servers string) string {
	var paths strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&paths, "%s_temp_path %s/%[1]s;\n", kind, work)
	}
	return "pid " + work + "/pid;\nevents {}\nhttp {\naccess_log off;\n" + paths.String() + servers + "}\n"
}

// TestSetupCaddy makes Caddy check the unchanged Caddyfile.example. Then it runs Caddy
// with this file over plain HTTP. With HTTPS, Caddy would request certificates on the
// internet.
func TestSetupCaddy(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			p := newProxy(t, l)
			_, port, err := net.SplitHostPort(p.address)
			if err != nil {
				t.Fatal(err)
			}
			sites := ""
			if l.snippet {
				sites = "http://" + l.hosts[0] + ":" + port + " {\n\tbind 127.0.0.1\n" + p.file("Caddyfile.example", p.backend...) + "\n\trespond homeserver\n}\n"
			} else {
				p.run("caddy", "adapt", "--adapter", "caddyfile", "--config", filepath.Join(p.dir, "Caddyfile.example"))
				sites = p.caddySites(port)
			}
			const global = "{\n\tadmin off\n\tauto_https off\n}\n"
			config := p.write("Caddyfile", []byte(global+sites))
			p.start("caddy", "run", "--adapter", "caddyfile", "--config", config)
			p.check("http")
		})
	}
}

// caddySites returns the sites that setup wrote. Caddy serves them over plain HTTP at
// the given port of this machine.
func (p *proxy) caddySites(port string) string {
	replace := p.backend
	for _, host := range p.layout.hosts {
		replace = append(replace, "\n"+host+" {", "\nhttp://"+host+":"+port+" {\n\tbind 127.0.0.1")
	}
	return p.file("Caddyfile.example", replace...)
}

// check requests all addresses that clients use, including addresses without the slash
// at the end and with two slashes. It checks that the right backend answers, and that
// the proxy refuses requests to LiveKit's API.
func (p *proxy) check(scheme string) {
	p.t.Helper()
	client, jwt, sfu := p.client(), p.layout.jwt, p.layout.sfu
	for _, c := range []struct{ method, url, want string }{
		{http.MethodGet, jwt + "/healthz", "jwt GET /healthz "},
		{http.MethodPost, jwt + "/sfu/get", "jwt POST /sfu/get "},
		{http.MethodPost, jwt + "//sfu/get", "jwt POST /sfu/get "},
		{http.MethodPost, jwt + "/get_token?a=b", "jwt POST /get_token?a=b "},
		{http.MethodPost, jwt, "jwt POST / "},
		{http.MethodPost, jwt + "/", "jwt POST / "},
		{http.MethodOptions, jwt + "/sfu/get", "jwt OPTIONS /sfu/get "},
		{http.MethodGet, sfu, "sfu GET / "},
		{http.MethodGet, sfu + "/rtc?access_token=a%2Bb", "sfu GET /rtc?access_token=a%2Bb "},
		{http.MethodGet, sfu + "/rtc/v1", "sfu GET /rtc/v1 "},
	} {
		host, _, _ := strings.Cut(c.url, "/")
		got := strings.Replace(p.ask(client, c.method, scheme+"://"+c.url), " //", " /", 1) // the service accepts a path with one slash and with two
		if !strings.HasPrefix(got, c.want+"host="+host+" for=127.0.0.1 real=127.0.0.1 ") {
			p.t.Errorf("%s %s: the backend got %q, want %q", c.method, c.url, got, c.want)
		}
		if strings.HasPrefix(c.want, "sfu") && !strings.HasSuffix(got, " upgrade=websocket connection=upgrade") {
			p.t.Errorf("%s %s: the WebSocket headers do not reach the backend, which got %q", c.method, c.url, got)
		}
	}
	if p.layout.snippet {
		if got := p.ask(client, http.MethodGet, scheme+"://"+p.layout.hosts[0]+"/_matrix/client/versions"); got != "homeserver" {
			p.t.Errorf("a request for the homeserver's own path got %q, want the homeserver's answer", got)
		}
	}
	for _, path := range []string{"/twirp/livekit.RoomService/ListRooms", "//twirp/livekit.RoomService/ListRooms", "/%74wirp/livekit.RoomService/ListRooms"} {
		if got := p.ask(client, http.MethodPost, scheme+"://"+sfu+path); strings.Contains(got, "sfu POST") {
			p.t.Errorf("POST %s reaches LiveKit's API: got %q, want the proxy to refuse it", path, got)
		}
	}
}

// ask sends a request and returns the body of the answer. The request asks for a
// WebSocket. It contains invented client addresses in two headers, which the proxy must
// replace.
func (p *proxy) ask(client *http.Client, method, url string) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("X-Forwarded-For", "192.0.2.111")
	req.Header.Set("X-Real-IP", "198.51.100.111")
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}
