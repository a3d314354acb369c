package breakages

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"golang.org/x/net/dns/dnsmessage"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/setup"
)

// domain is the server name of the tested deployment.
const domain = "example.org"

// deployment describes a whole deployment: the text of its files, the environment of
// its programs, its host names and its firewall. A program whose configuration is empty
// does not run.
type deployment struct {
	homeserver string            // the text of homeserver.yaml
	livekit    string            // the text of livekit.yaml
	keys       string            // the content of LiveKit's variable LIVEKIT_KEYS
	service    map[string]string // the service's environment
	nginx      string            // the content of the http block of nginx
	haproxy    string            // the text of haproxy.cfg
	caddy      string            // the text of the Caddyfile
	redis      redis
	second     string            // the keys of a second LiveKit at port 7890; "" if there is no second LiveKit
	user       user              // the user for doctor's option --user
	outside    []string          // additional options of doctor when it runs from outside
	down       []string          // programs that do not run although they have a configuration
	hanging    []string          // programs that are started and then stopped (SIGSTOP)
	website    map[string]string // files of the website, by path
	// registration is the registration file that the homeserver reads. The service
	// reads it as well, unless own is set.
	registration string
	own          string        // another registration file for the service; "" if the service reads the same file as the homeserver
	ahead        time.Duration // how far ahead LiveKit's clock is
	names        map[string][]netip.Addr
	srv          map[string]dnsmessage.SRVResource
	deaf         bool     // true if the name server does not answer questions about SRV records
	closed       []string // iptables rules; the kernel drops packets that match a rule

	dir    string // the directory with the certificates
	folder string // the folder that setup wrote
}

// written returns the deployment that setup writes for nginx. It has no fault.
func written(ctx context.Context, dir string) (deployment, error) {
	return writtenWith(ctx, dir, "written", "--server-name", domain, "--jwt-host", "jwt."+domain, "--sfu-host", "sfu."+domain,
		"--base-url", "https://matrix."+domain, "--turn")
}

// writtenWith returns the deployment that setup writes with the options in args. setup
// writes into the given folder below dir. All deployments in dir have the same
// certificates.
func writtenWith(ctx context.Context, dir, folder string, args ...string) (deployment, error) {
	repository, err := stack.Repository(ctx)
	if err != nil {
		return deployment{}, err
	}
	folder = filepath.Join(dir, folder)
	var out bytes.Buffer
	if code := commandtest.Run(ctx, setup.Command(os.DirFS(repository)), append(args, "--dir", folder), nil, &out, &out); code != 0 {
		return deployment{}, fmt.Errorf("setup: exit code %d: %s", code, out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "root.pem")); err != nil {
		if err := writeCertificates(dir); err != nil {
			return deployment{}, err
		}
	}
	files := reader{folder: folder}
	d := deployment{
		homeserver: files.own("homeserver.yaml") + files.written("homeserver-additions.yaml"),
		livekit:    files.written("livekit.yaml"),
		nginx:      inFront(files.written("nginx.conf.example"), files.own("website.conf")),
		website: map[string]string{
			".well-known/matrix/client": files.written("well-known-client.json"),
			".well-known/matrix/server": `{"m.server": "matrix.example.org:443"}`,
		},
		names:  map[string][]netip.Addr{},
		dir:    dir,
		folder: folder,
	}
	if files.fault != nil {
		return d, files.fault
	}
	if d.service, err = dotenv.Read(filepath.Join(folder, ".env")); err != nil {
		return d, err
	}
	d.settle()
	return d, nil
}

// inFront combines the nginx configuration of the website with the lines that setup
// wrote. If setup wrote whole servers, inFront puts them before the website's servers.
// If not, it puts the lines into the homeserver's server.
func inFront(written, website string) string {
	if strings.Contains(written, "\nserver {") {
		return written + website
	}
	server := "server_name matrix." + domain + ";\n"
	return strings.Replace(website, server, server+written, 1)
}

// settle adapts the deployment to this machine. It sets the addresses, certificates and
// host names, and the public address that LiveKit would otherwise learn from a STUN
// server.
func (d *deployment) settle() {
	d.edit(&d.livekit, "use_external_ip: true", "use_external_ip: false")
	d.edit(&d.livekit, "# node_ip: 203.0.113.7", "node_ip: "+public)
	// Doctor runs inside and from outside, and each run makes several requests about
	// delayed events. So the test raises Synapse's rate limit for them.
	d.edit(&d.homeserver, delayedLimit, "  per_second: 1000\n  burst_count: 1000\n")
	maps.Copy(d.service, map[string]string{
		"LIVEKIT_INTERNAL_URL": "http://127.0.0.1:7880",
		"LIVEKIT_JWT_BIND":     "127.0.0.1:8080",
		"LIVEKIT_STORE":        "file:" + filepath.Join(d.dir, "leaves.db"),
		"SSL_CERT_FILE":        filepath.Join(d.dir, "root.pem"),
	})
	maps.DeleteFunc(d.service, func(_, value string) bool { return value == "" })
	d.keys = fmt.Sprintf("%q: %q", d.service["LIVEKIT_KEY"], d.service["LIVEKIT_SECRET"])
	d.nginx = issued.ReplaceAllStringFunc(d.nginx, func(path string) string {
		if strings.HasSuffix(path, "/privkey.pem") {
			return filepath.Join(d.dir, "key.pem")
		}
		return filepath.Join(d.dir, "chain.pem")
	})
	d.nginx = strings.ReplaceAll(d.nginx, "    listen [::]:443 ssl;\n", "")
	d.nginx = strings.ReplaceAll(d.nginx, "listen 443 ssl;", "listen "+public+":443 ssl;")
	d.edit(&d.nginx, "root WWW;", "root "+filepath.Join(d.dir, "www")+";")
	certificate := fmt.Sprintf("ssl_certificate %s;\n    ssl_certificate_key %s;\n", filepath.Join(d.dir, "chain.pem"), filepath.Join(d.dir, "key.pem"))
	for _, name := range []string{"server_name matrix.example.org;\n", "server_name example.org;\n"} {
		d.edit(&d.nginx, name, name+"    "+certificate)
	}
	d.names["matrixrtc-auth"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")} // the service's name in the network of compose.yaml
	for _, match := range serverName.FindAllStringSubmatch(d.nginx, -1) {
		d.names[match[1]] = []netip.Addr{netip.MustParseAddr(public)}
	}
}

// issued matches the paths of certificates in nginx.conf.example. serverName matches
// the lines with host names.
var (
	issued     = regexp.MustCompile(`/etc/letsencrypt/live/[^/]+/[a-z]+\.pem`)
	serverName = regexp.MustCompile(`server_name ([^;]+);`)
)

// delayedLimit is the text of a rate limit in the homeserver's configuration that setup
// writes. The limit is for requests about delayed events.
const delayedLimit = "  per_second: 10\n  burst_count: 20\n"

// behind removes the reverse proxy from nginx, because another program is the proxy in
// this deployment. nginx then serves only the website, without TLS.
func (d *deployment) behind() {
	d.nginx = "server {\nlisten 127.0.0.1:8081;\nroot " + filepath.Join(d.dir, "www") + ";\nlocation /.well-known/matrix/ {\ndefault_type application/json;\nadd_header Access-Control-Allow-Origin *;\n}\n}\n"
}

// behindHAProxy makes HAProxy the reverse proxy.
func (d *deployment) behindHAProxy() {
	d.behind()
	files := reader{}
	d.haproxy = strings.ReplaceAll(files.own("haproxy.cfg"), "DIR", d.dir)
	d.must(files.fault)
}

// behindCaddy makes Caddy the reverse proxy, with the file that setup writes.
func (d *deployment) behindCaddy() {
	d.behind()
	files := reader{folder: d.folder}
	tls := fmt.Sprintf("tls %s %s", filepath.Join(d.dir, "chain.pem"), filepath.Join(d.dir, "key.pem"))
	d.caddy = strings.ReplaceAll(files.own("Caddyfile"), "TLS", tls)
	text := files.written("Caddyfile.example")
	for _, name := range []string{"jwt.", "sfu."} {
		site := name + domain + " {\n"
		d.edit(&text, site, site+"\t"+tls+"\n")
	}
	d.caddy += text
	d.must(files.fault)
}

// edit replaces the only occurrence of old in a text. It panics if old does not occur
// exactly once.
func (d *deployment) edit(text *string, old, with string) {
	if n := strings.Count(*text, old); n != 1 {
		panic(fmt.Sprintf("%q is there %d times, not once, in:\n%s", old, n, *text))
	}
	*text = strings.Replace(*text, old, with, 1)
}

func (d *deployment) must(err error) {
	if err != nil {
		panic(err)
	}
}

// clone returns a copy of d. The copy has its own maps of variables, website files and
// host names, so a change to them does not change d.
func (d deployment) clone() deployment {
	d.service, d.website, d.names = maps.Clone(d.service), maps.Clone(d.website), maps.Clone(d.names)
	return d
}

// reader reads files that setup wrote, and files in testdata. It keeps the first error
// in the field fault.
type reader struct {
	folder string // the folder that setup wrote
	fault  error
}

func (r *reader) written(name string) string { return r.read(filepath.Join(r.folder, name)) }
func (r *reader) own(name string) string     { return r.read(filepath.Join("testdata", name)) }

func (r *reader) read(path string) string {
	text, err := os.ReadFile(path)
	if r.fault == nil {
		r.fault = err
	}
	return string(text)
}
