package breakages

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
)

// moved is a test case for setup. setup takes over a deployment that follows a
// published guide, and writes a new deployment in its place.
type moved struct {
	name    string
	options []string // setup's options; they contain the operator's answers to the questions in taking-over.md
	rest    change   // the operator's steps after setup, and changes for this machine
	secret  string   // the expected secret of the API key; "" if setup makes a new one
}

// spared is an option from taking-over.md. The media ports in it do not overlap with
// the ports of Linux for outgoing connections.
var spared = []string{"--udp-range", "20000-20200"}

var movedOnes = []moved{
	{"guide", spared, nil, "not-so-secret-0123456789-abcdefghijklmn"},
	{"nginx", spared, together(published("8070"), local("synapse"), unset("LIVEKIT_REDIS_URL")), "0123456789abcdef0123456789abcdef0123"},
	{"caddy", nil, behindOneCaddy, ""},
	// The guide for Traefik uses Traefik as the reverse proxy. Debian has no package
	// of it, so this test runs nginx with the guide's host names.
	{"traefik", append(spared, "--server-name", domain, "--base-url", "https://matrix."+domain), nil, "abcdefabcdefabcdefabcdefabcdefabcdefabcd"},
	{"host-network", nil, together(published("8081"), local("host.docker.internal"), unset("LIVEKIT_CA_FILE"), withRegistration), "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"},
}

// TestTakenOver lets setup take over deployments of published guides, including the
// mistakes in the guides. Doctor must find no fault in the new deployments, inside and
// from outside. Users must be able to call each other.
func TestTakenOver(t *testing.T) {
	own := filepath.Join(*dir, fmt.Sprintf("taken-%d", *shard))
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	w := worldIn(t, own)
	for i, m := range movedOnes {
		if i%*shards != *shard {
			continue // another process tests this deployment
		}
		t.Run(m.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), starting)
			defer cancel()
			begun := time.Now()
			d := m.move(ctx, t, own)
			if err := w.become(ctx, d); err != nil {
				t.Fatalf("%s: got %v, want the deployment running\n%s", m.name, err, w.logs())
			}
			w.judge(ctx, t, d, breakage{what: m.name + ", taken over"})
			carries(ctx, t, d, m.name)
			t.Logf("done after %s", time.Since(begun).Round(10*time.Millisecond))
		})
	}
}

// move runs setup with --from, so that setup takes over m's old deployment. It returns
// the deployment that setup writes.
func (m moved) move(ctx context.Context, t *testing.T, own string) deployment {
	t.Helper()
	old := filepath.Join(own, "old-"+m.name)
	if err := stack.Unpack("../../setup/testdata/from/"+m.name+".txtar", old); err != nil {
		t.Fatal(err)
	}
	d, err := writtenWith(ctx, own, m.name, append([]string{"--from", old}, m.options...)...)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.service["LIVEKIT_SECRET"]; m.secret != "" && got != m.secret {
		t.Errorf("the secret is %q, want %q", got, m.secret)
	}
	d.outside = []string{"--sfu-url", d.service["LIVEKIT_URL"]} // the option that next-steps.md names
	if m.rest != nil {
		m.rest(&d)
	}
	return d
}

// published makes nginx forward to the service's port 8080 instead of the given
// port. In a deployment, Docker connects the two ports (compose.yaml), but this
// test has no Docker.
func published(port string) change {
	return func(d *deployment) { d.nginx = strings.ReplaceAll(d.nginx, "127.0.0.1:"+port, "127.0.0.1:8080") }
}

// local makes a host name lead to this machine. Outside this test, the host name exists
// only in a Docker network.
func local(name string) change {
	return func(d *deployment) { d.names[name] = []netip.Addr{netip.MustParseAddr("127.0.0.1")} }
}

// unset removes a variable of the service. The variable names a file or a server that
// does not exist on this machine.
func unset(name string) change {
	return func(d *deployment) { delete(d.service, name) }
}

// withRegistration makes Synapse and the service read the registration file that setup
// wrote.
func withRegistration(d *deployment) {
	path := filepath.Join(d.folder, "matrixrtc-auth-registration.yaml")
	d.edit(&d.homeserver, "/data/matrixrtc-auth-registration.yaml", path)
	d.service["LIVEKIT_HS_SERVER_NAME"], d.service["LIVEKIT_AS_REGISTRATION_FILE"] = domain, path
}

// behindOneCaddy makes Caddy the reverse proxy. One host name serves the service and
// LiveKit, at the old path prefixes and at the new ones.
func behindOneCaddy(d *deployment) {
	d.behind()
	files := reader{folder: d.folder}
	d.homeserver = strings.ReplaceAll(d.homeserver, "matrix."+domain, "synapse."+domain)
	d.website[".well-known/matrix/server"] = `{"m.server": "synapse.example.org:443"}`
	delete(d.names, "matrix."+domain)
	for _, name := range []string{"synapse.", "matrix-rtc."} {
		d.names[name+domain] = d.names[domain]
	}
	tls := fmt.Sprintf("tls %s %s", filepath.Join(d.dir, "chain.pem"), filepath.Join(d.dir, "key.pem"))
	d.caddy = strings.NewReplacer("TLS", tls, "matrix."+domain, "synapse."+domain).Replace(files.own("Caddyfile")) +
		"matrix-rtc." + domain + " {\n" + tls + "\n" + files.written("Caddyfile.example") + `
	@jwt_service path /sfu/get* /get_token* /healthz*
	handle @jwt_service {
		reverse_proxy 127.0.0.1:8080
	}
	handle {
		reverse_proxy 127.0.0.1:7880
	}
}
`
	d.must(files.fault)
}

// carries makes two new users join a call, and checks that one hears the other. The
// users find the service only by the well-known file.
func carries(ctx context.Context, t *testing.T, d deployment, guide string) {
	t.Helper()
	if err := os.Setenv("SSL_CERT_FILE", filepath.Join(d.dir, "root.pem")); err != nil { // no other test runs in this process, so none gets this variable
		t.Fatal(err)
	}
	a, b := call(ctx, t, d, "anna-"+guide), call(ctx, t, d, "ben-"+guide)
	sid, err := a.PublishAudio()
	if err != nil {
		t.Fatal(err)
	}
	hears, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	track, err := b.Hear(hears)
	if want := (participant.Track{From: a.Identity(), SID: sid}); err != nil || track != want {
		t.Errorf("the track that a user received: got %v, %v, want %v", track, err, want)
	}
}

// call makes a new user join a call. The user finds the service in the well-known file.
func call(ctx context.Context, t *testing.T, d deployment, name string) *participant.Participant {
	t.Helper()
	var told struct {
		Foci []struct {
			URL string `json:"livekit_service_url"`
		} `json:"org.matrix.msc4143.rtc_foci"`
	}
	if err := json.Unmarshal([]byte(d.website[".well-known/matrix/client"]), &told); err != nil || len(told.Foci) != 1 {
		t.Fatalf("the well-known file: got %+v, %v, want one focus", told, err)
	}
	user, err := account.Register(ctx, synapseURL, name)
	if err != nil {
		t.Fatal(err)
	}
	token, err := user.OpenIDToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := caller.Post(ctx, told.Foci[0].URL+"/sfu/get", caller.Legacy{Room: "!call:" + domain, OpenIDToken: token, DeviceID: "DEVICE"})
	if err != nil || answer.Status != 200 {
		t.Fatalf("/sfu/get of %s: got %d %s, %v, want 200", name, answer.Status, answer.Body, err)
	}
	p, err := participant.Join(ctx, answer.URL, answer.JWT)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Leave)
	return p
}
