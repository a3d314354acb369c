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
	"matrixrtc-auth/setup"
)

// domain is the server name of the deployment.
const domain = "example.org"

// deployment is all that a deployment consists of: the text of its files, what
// the environment of its programs holds, its names and its firewall. A program
// without a configuration does not run.
type deployment struct {
	homeserver string            // homeserver.yaml
	livekit    string            // livekit.yaml
	keys       string            // LIVEKIT_KEYS of LiveKit
	service    map[string]string // the service's environment
	nginx      string            // what stands in its http block
	haproxy    string            // haproxy.cfg
	caddy      string            // Caddyfile
	redis      redis
	second     string            // the keys of another LiveKit, at port 7890
	user       user              // whom doctor asks as
	outside    []string          // what else doctor is told outside
	down       []string          // programs that do not run, though they are configured
	hanging    []string          // programs that do nothing once they are started
	website    map[string]string // files below www, by path
	// registration is that of the service at the homeserver, which reads it too.
	registration string
	own          string        // that which the service reads, "" for the same
	ahead        time.Duration // LiveKit's clock
	names        map[string][]netip.Addr
	srv          map[string]dnsmessage.SRVResource
	deaf         bool     // the name server says nothing about services
	closed       []string // rules of iptables; packets that match one are dropped

	dir    string // with the certificates
	folder string // that setup wrote
}

// written returns the deployment that setup writes, behind nginx: nothing is
// wrong with it.
func written(ctx context.Context, dir string) (deployment, error) {
	return writtenWith(ctx, dir, "written", "--server-name", domain, "--jwt-host", "jwt."+domain, "--sfu-host", "sfu."+domain,
		"--base-url", "https://matrix."+domain, "--turn")
}

// writtenWith is written with other options, and a folder of this name for its
// files. Deployments of one dir have the same certificates.
func writtenWith(ctx context.Context, dir, folder string, args ...string) (deployment, error) {
	repository, err := stack.Repository(ctx)
	if err != nil {
		return deployment{}, err
	}
	folder = filepath.Join(dir, folder)
	var out bytes.Buffer
	if code := setup.Run(ctx, append(args, "--dir", folder), setup.Streams{Out: &out, Err: &out}, os.DirFS(repository)); code != 0 {
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

// inFront adds what setup has for nginx to the servers that are there: servers of
// their own, or locations of the homeserver's.
func inFront(written, website string) string {
	if strings.Contains(written, "\nserver {") {
		return written + website
	}
	server := "server_name matrix." + domain + ";\n"
	return strings.Replace(website, server, server+written, 1)
}

// settle gives the deployment its places on this machine: the address that STUN
// servers would tell, that of the service, the certificate, the names.
func (d *deployment) settle() {
	d.edit(&d.livekit, "use_external_ip: true", "use_external_ip: false")
	d.edit(&d.livekit, "# node_ip: 203.0.113.7", "node_ip: "+public)
	// Doctor asks about delayed events from two vantages, and then again.
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
	d.names["matrixrtc-auth"] = []netip.Addr{netip.MustParseAddr("127.0.0.1")} // as in a network of compose.yaml
	for _, match := range serverName.FindAllStringSubmatch(d.nginx, -1) {
		d.names[match[1]] = []netip.Addr{netip.MustParseAddr(public)}
	}
}

// What nginx.conf.example has of certificates, and of names.
var (
	issued     = regexp.MustCompile(`/etc/letsencrypt/live/[^/]+/[a-z]+\.pem`)
	serverName = regexp.MustCompile(`server_name ([^;]+);`)
)

// delayedLimit is setup's for everybody's requests about delayed events.
const delayedLimit = "  per_second: 10\n  burst_count: 20\n"

// behind puts another proxy in front: nginx keeps the website, in the clear.
func (d *deployment) behind() {
	d.nginx = "server {\nlisten 127.0.0.1:8081;\nroot " + filepath.Join(d.dir, "www") + ";\nlocation /.well-known/matrix/ {\ndefault_type application/json;\nadd_header Access-Control-Allow-Origin *;\n}\n}\n"
}

// behindHAProxy puts HAProxy there.
func (d *deployment) behindHAProxy() {
	d.behind()
	files := reader{}
	d.haproxy = strings.ReplaceAll(files.own("haproxy.cfg"), "DIR", d.dir)
	d.must(files.fault)
}

// behindCaddy puts Caddy there, as setup has it.
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

// edit replaces the one place of old in a text. That it is not there is a fault
// of the test.
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

// clone is a copy that shares nothing.
func (d deployment) clone() deployment {
	d.service, d.website, d.names = maps.Clone(d.service), maps.Clone(d.website), maps.Clone(d.names)
	return d
}

// reader reads files and keeps the first fault.
type reader struct {
	folder string // that setup wrote
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
