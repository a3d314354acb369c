package setup

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// quotedYAML returns the first YAML block of reverse-proxy.md that contains the
// word.
func (l *lab) quotedYAML(word string) string {
	l.t.Helper()
	for _, block := range strings.Split(l.read("reverse-proxy.md"), "```yaml\n")[1:] {
		if text, _, _ := strings.Cut(block, "```"); strings.Contains(text, word) {
			return text
		}
	}
	l.t.Fatalf("reverse-proxy.md quotes no YAML with %q", word)
	return ""
}

// strictly decodes YAML, and fails if the YAML has fields that T lacks.
func strictly[T any](t *testing.T, text string) (v T) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("got %v in\n%s, want no error", err, text)
	}
	return v
}

// tunnel is the configuration of cloudflared, as Cloudflare documents it.
type tunnel struct {
	Tunnel      string
	Credentials string `yaml:"credentials-file"`
	Ingress     []struct{ Hostname, Path, Service string }
}

// route returns the service to which cloudflared sends a request: the service
// of the first rule that matches the request. A rule's path is a regular
// expression. The last rule must match everything.
func (c tunnel) route(t *testing.T, host, path string) string {
	t.Helper()
	if last := c.Ingress[len(c.Ingress)-1]; last.Hostname+last.Path != "" {
		t.Fatalf("the last rule is %+v, want one for everything", last)
	}
	for _, rule := range c.Ingress {
		if (rule.Hostname == "" || rule.Hostname == host) && regexp.MustCompile(rule.Path).MatchString(path) {
			return rule.Service
		}
	}
	return ""
}

// TestCloudflareTunnel checks that the tunnel forwards HTTP to the right
// programs, and that reverse-proxy.md names the ports that the tunnel does not
// forward.
func TestCloudflareTunnel(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--jwt-port", "8090", "--turn", "--udp-range", "21000-21100")
	c := strictly[tunnel](t, l.quotedYAML("ingress:"))
	for url, want := range map[string]string{
		"jwt.example.org/sfu/get":     "http://127.0.0.1:8090",
		"sfu.example.org/rtc/v1":      "http://127.0.0.1:7880",
		"sfu.example.org/twirp/a.B/C": "http_status:404",
		"example.org/":                "http_status:404",
	} {
		t.Run(url, func(t *testing.T) {
			host, path, _ := strings.Cut(url, "/")
			if got := c.route(t, host, "/"+path); got != want {
				t.Errorf("https://%s goes to %s, want %s", url, got, want)
			}
		})
	}
	l.says(l.read("reverse-proxy.md"), "carries no media", "UDP 21000–21100", "TCP 7881", "UDP 3478", "UDP 20201–20300", "CGNAT")
	l.says(l.read("reverse-proxy.md"), "LIVEKIT_CLIENT_ADDRESS=cf-connecting-ip")
}

// TestTunnelOfSingleHost checks reverse-proxy.md for a single host. cloudflared
// cannot remove a path prefix. So the page has no configuration for
// cloudflared, and advises a host name for each program instead.
func TestTunnelOfSingleHost(t *testing.T) {
	l := newLab(t)
	l.exec(exitOK, "--dir", l.dir, "--server-name", "example.org", "--single-host", "matrix.example.org")
	page := l.read("reverse-proxy.md")
	l.says(page, "removes no path prefix", "`--jwt-host` and `--sfu-host`")
	if strings.Contains(page, "ingress:") {
		t.Errorf("reverse-proxy.md of a single host: got\n%s\nwant no tunnel", page)
	}
}

// TestNginxProxyManager checks the settings for Nginx Proxy Manager. The proxy
// and the containers share a network, so the settings name the containers and
// the ports inside them, not the published ports.
func TestNginxProxyManager(t *testing.T) {
	type override struct {
		Services map[string]struct{ Networks []string }
		Networks map[string]struct {
			Name     string
			External bool
		}
	}
	for flags, rows := range map[string][]string{
		"--jwt-host jwt.example.org --sfu-host sfu.example.org": {
			"| Details → Domain Names | `jwt.example.org` | `sfu.example.org` |",
			"| Details → Forward Hostname / IP | `matrixrtc-auth` | `livekit` |",
			"| Details → Forward Port | 8080 | 7880 |",
			"| Details → Websockets Support | off | **on** |",
		},
		"--single-host matrix.example.org": {
			"| Define location | `/livekit/jwt/` | `/livekit/sfu/` |",
			"| Forward Hostname / IP | `matrixrtc-auth/` | `livekit/` |",
			"| Forward Port | 8080 | 7880 |",
		},
	} {
		t.Run(flags, func(t *testing.T) {
			l := newLab(t)
			l.exec(exitOK, slices.Concat([]string{"--dir", l.dir, "--server-name", "example.org", "--jwt-port", "8090"}, strings.Fields(flags))...)
			for _, row := range rows {
				if !strings.Contains(l.read("reverse-proxy.md"), "\n"+row+"\n") {
					t.Errorf("setup %s: reverse-proxy.md: got\n%s\nwant the line %s", flags, l.read("reverse-proxy.md"), row)
				}
			}
			o := strictly[override](t, l.quotedYAML("npm_default"))
			for _, service := range []string{"livekit", "matrixrtc-auth"} {
				if got := o.Services[service].Networks; !slices.Equal(got, []string{"default", "proxy"}) || !o.Networks["proxy"].External {
					t.Errorf("setup %s: networks of %s: got %q of %+v, want default and the external proxy", flags, service, got, o.Networks)
				}
			}
		})
	}
}

// TestSnippets checks the files for nginx and Caddy for a single host. The
// files contain lines for the host's existing block, and say so. With
// --server-block the files contain a whole block.
func TestSnippets(t *testing.T) {
	single := []string{"--server-name", "example.org", "--single-host", "matrix.example.org"}
	l := newLab(t)
	l.exec(exitOK, slices.Concat(single, []string{"--dir", l.dir})...)
	nginx, caddy := l.read("nginx.conf.example"), l.read("Caddyfile.example")
	for _, unwanted := range []string{"\nserver {", "\nmap ", "listen 443 ssl;", "ssl_certificate"} {
		if strings.Contains(nginx, unwanted) {
			t.Errorf("the lines for nginx have %q: got %s, want no %q in it", unwanted, nginx, unwanted)
		}
	}
	l.says(nginx, "go into the server block that matrix.example.org has")
	l.says(caddy, "go into the block that matrix.example.org has")
	if strings.Contains(caddy, "\nmatrix.example.org {") {
		t.Errorf("the lines for Caddy have a block of their own: got %s, want no %q in it", caddy, "\nmatrix.example.org {")
	}
	l.exec(exitOK, "--dir", l.dir, "--server-block")
	for name, want := range map[string]string{"nginx.conf.example": "\n    server_name matrix.example.org;\n", "Caddyfile.example": "\nmatrix.example.org {\n"} {
		if !strings.Contains(l.read(name), want) {
			t.Errorf("setup --server-block: %s: got\n%s\nwant %q in it", name, l.read(name), want)
		}
	}
	l.exec(exitOK, "--dir", l.dir, "--single-host", "matrix.example.org")
	l.says(l.out, "Nothing has changed.")
}
