package doctor_test

import (
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// TestBroken breaks the test deployment in one way per subtest. doctor must
// name the cause of that fault and no other.
func TestBroken(t *testing.T) {
	for _, id := range slices.Sorted(maps.Keys(breaks)) {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			breaks[id](s)
			report := s.examine()
			isSound(t, report)
			named := map[string]bool{}
			for _, c := range report.Checks {
				if c.CauseID != "" {
					named[c.CauseID] = true
				}
				if c.CauseID != "" && c.CauseID != id {
					t.Errorf("%s: got the cause %s (%s), want %s alone", c.ID, c.CauseID, c.Seen, id)
				}
			}
			if !named[id] {
				t.Errorf("want the cause %s, got\n%s", id, text(report))
			}
		})
	}
}

func text(r engine.Report) string {
	var b strings.Builder
	_ = r.WriteText(&b)
	return b.String()
}

// breaks are functions that break the test deployment. The key is the id of the
// cause that doctor must find.
var breaks = map[string]func(*stack){}

func init() {
	for _, list := range []map[string]func(*stack){configBreaks, livekitBreaks, reachBreaks, wellKnownBreaks, homeserverBreaks, publicBreaks, runningBreaks, sfuBreaks, mediaBreaks, memberBreaks, proxyBreaks, statusBreaks, userBreaks} {
		maps.Copy(breaks, list)
	}
}

func set(name, value string) func(*stack) { return func(s *stack) { s.env[name] = value } }

var configBreaks = map[string]func(*stack){
	"config-refused":    set("LIVEKIT_TOKEN_TTL", "never"),
	"config-doubtful":   set("LIVEKIT_LOG_LEVEL", "chatty"),
	"full-access-entry": set("LIVEKIT_FULL_ACCESS_HOMESERVERS", apexHost+",https://example.org"),
	"full-access-doubtful": func(s *stack) {
		set("LIVEKIT_FULL_ACCESS_HOMESERVERS", apexHost+",other.example.org:8448")(s)
		s.options.Servers = apex(s.t)
	},
	"own-server-missing": func(s *stack) { set("LIVEKIT_FULL_ACCESS_HOMESERVERS", "other.org")(s); s.options.Servers = apex(s.t) },
	"full-access-everyone": func(s *stack) {
		set("LIVEKIT_FULL_ACCESS_HOMESERVERS", "*")(s)
		s.options.Servers = apex(s.t)
	},
	"key-lint": func(s *stack) {
		s.env["LIVEKIT_KEY_FILE"] = s.file("keys.yaml", stackKey.ID+": "+stackKey.Secret.Reveal()+"\n"+"other: short\n")
		delete(s.env, "LIVEKIT_KEY")
		delete(s.env, "LIVEKIT_SECRET")
	},
	"former-service": set("LIVEKIT_URL", "wss://livekit-jwt.call.matrix.org"),
	"sfu-url-inside": func(s *stack) { s.sfu("ws://livekit:7880") },
	"sfu-url-clear": func(s *stack) {
		s.sfu("ws://" + sfuHost)
		s.sfuProxy = func(next http.Handler) http.Handler {
			s.routes["tcp "+sfuIP+":80"] = newServer(s, next)
			return next
		}
	},
	"sfu-url-path": func(s *stack) { s.sfu("wss://" + sfuHost + "/rtc") },
	"sfu-url-network": func(s *stack) {
		const host = "sfu.internal"
		s.sfu("wss://" + host)
		s.dns[host], s.certs[sfuHost] = s.dns[sfuHost], s.ca.Certificate(host)
	},
	"registration-open": func(s *stack) {
		registering("id: other")(s)
		s.modes[s.env["LIVEKIT_AS_REGISTRATION_FILE"]] = 0o644
	},
	"override-path": set("LIVEKIT_FEDERATION_URL_OVERRIDES", apexHost+"=https://"+apexHost+":8448/_matrix"),
	"registration": func(s *stack) {
		s.env["LIVEKIT_AS_REGISTRATION_FILE"] = s.file("registration.yaml", goodRegistration+"\nio.element.msc4512.proxy_prefix: livekit\n")
		s.env["LIVEKIT_HS_SERVER_NAME"] = apexHost
	},
}

// sfu sets the URL of LiveKit that clients get.
func (s *stack) sfu(url string) {
	s.env["LIVEKIT_URL"] = url
	s.service = func(h *handler.Handler) { h.URL = url }
}

func apex(t *testing.T) []matrix.ServerName {
	return []matrix.ServerName{matrixtest.ServerName(t, apexHost)}
}

const goodRegistration = `id: matrixrtc-auth
as_token: an-as-token-of-many-letters-0123456789
hs_token: an-hs-token-of-many-letters-0123456789
sender_localpart: matrixrtc
url: null
namespaces: {users: []}
io.element.msc4502.scopes: ["urn:matrix:client:io.element.msc4502:rooms:is_joined"]
io.element.msc4512.proxy_url: http://matrixrtc-auth:8080`

// replace replaces a text in livekit.yaml.
func replace(old, new string) func(*stack) {
	return func(s *stack) {
		if !strings.Contains(s.files["/etc/livekit.yaml"], old) {
			s.t.Fatalf("livekit.yaml holds no %q", old)
		}
		s.files["/etc/livekit.yaml"] = strings.Replace(s.files["/etc/livekit.yaml"], old, new, 1)
	}
}

// goodKeys is a correct content of LiveKit's key file.
var goodKeys = stackKey.ID + ": " + `"` + stackKey.Secret.Reveal() + `"` + "\n"

// keyFileOf makes LiveKit read its keys from a separate file with this content
// and mode.
func keyFileOf(text string, mode fs.FileMode) func(*stack) {
	const name = "/etc/livekit-keys.yaml"
	return func(s *stack) {
		replace("port: 7880\n", "port: 7880\nkey_file: "+name+"\n")(s)
		s.files[name], s.modes[name] = text, mode
	}
}

const otherSecret = "not-the-secret-but-as-long-as-that-0123"

// knowing makes LiveKit know only one key. The key has this name and a secret
// that this service does not have.
func knowing(key string) func(*stack) {
	return func(s *stack) { s.lk = sfutest.New(sfu.Key{ID: key, Secret: secret.New(otherSecret)}) }
}

var livekitBreaks = map[string]func(*stack){
	"livekit-file":             func(s *stack) { s.options.LiveKitYAML = "/nowhere.yaml" },
	"livekit-file-closed":      func(s *stack) { s.unread["/etc/livekit.yaml"] = fs.ErrPermission },
	"livekit-folder":           func(s *stack) { s.unread["/etc/livekit.yaml"] = syscall.EISDIR },
	"livekit-yaml":             replace("room:\n", "room\n"),
	"livekit-key-unknown":      replace("room:\n", "logging:\nlevel: info\nroom:\n"),
	"livekit-secret-file-open": keyFileOf(goodKeys, 0o644),
	"livekit-key-file":         keyFileOf("- "+goodKeys, 0o640),
	"livekit-secret":           both(replace("port: 7880\n", "keys: {matrixrtc: "+otherSecret+"}\n"), knowing(stackKey.ID)),
	"livekit-key-missing":      both(replace("port: 7880\n", "keys: {other: "+otherSecret+"}\n"), knowing("other")),
	"livekit-keys-replaced":    replace("port: 7880\n", "keys: {placeholder: not-the-secret-but-as-long-as-that-0123}\n"),
	"livekit-webhook-url": func(s *stack) {
		replace("http://matrixrtc-auth:8080/sfu_webhook", "http://localhost:8080/sfu_webhook")(s)
		s.webhooks = false
	},
	"livekit-secret-short": replace("port: 7880\n",
		"keys: {other: short, matrixrtc: "+`"`+"a-secret-of-the-doctor's-stack-0123456789"+`"`+"}\n"),
	"livekit-webhook-key":     replace("api_key: matrixrtc", "api_key: other"),
	"livekit-webhook-missing": replace("/sfu_webhook", "/webhook"),
	"livekit-udp-both":        replace("rtc:\n", "rtc:\n  udp_port: 7882\n"),
	"livekit-tcp-off": func(s *stack) {
		replace("tcp_port: 7881", "tcp_port: 0")(s)
		s.media.Candidates = s.media.Candidates[:1]
	},
	"livekit-redis": func(s *stack) {
		replace("port: 7880\n", "port: 7880\nredis: {address: \"redis:6379\"}\n")(s)
		s.routes["tcp 10.0.0.7:7880"] = "127.0.0.1:1"
	},
	"livekit-ports-clash": replace("udp_port: 3478", "udp_port: 20100"),
	"livekit-range-ephemeral": func(s *stack) {
		replace("port_range_start: 20000", "port_range_start: 50000")(s)
		replace("port_range_end: 20200", "port_range_end: 50200")(s)
	},
	"turn-domain":         replace("  domain: turn.example.org\n", ""),
	"turn-certificate":    replace("  external_tls: true\n", ""),
	"turn-portless":       replace("  udp_port: 3478\n  domain: turn.example.org\n  tls_port: 5349\n", ""),
	"auto-create-setting": replace("auto_create: false", "auto_create: true"),
	"stun-blocked":        func(s *stack) { s.routes["udp "+stunIP+":3478"] = "silent" },
}

var reachBreaks = map[string]func(*stack){
	"apex-no-address":    func(s *stack) { delete(s.dns, apexHost) },
	"service-no-address": func(s *stack) { delete(s.dns, jwtHost) },
	"sfu-no-address":     func(s *stack) { delete(s.dns, sfuHost) },
	"dns-broken":         func(s *stack) { s.dnsError[jwtHost] = &net.DNSError{Err: "server misbehaving", Name: jwtHost} },
	"dead-ipv6":          func(s *stack) { s.dns[jwtHost] = []string{jwtIP, "fd00::3"} },
	"ipv6-only": func(s *stack) {
		s.dns[jwtHost] = []string{"2001:db8::3"}
		s.unreachable["[2001:db8::3]:443"] = true
	},
	"dead-address":          func(s *stack) { s.dns[jwtHost] = []string{jwtIP, "10.0.0.99"} },
	"hairpin":               func(s *stack) { s.dns[jwtHost] = []string{"203.0.113.3"}; s.routes["tcp 203.0.113.3:443"] = "silent" },
	"client-api-no-address": func(s *stack) { delete(s.dns, matrixHost) },
	"client-api-closed":     func(s *stack) { s.routes["tcp "+matrixIP+":443"] = "127.0.0.1:1" },
	"apex-closed":           func(s *stack) { s.routes["tcp "+apexIP+":443"] = "127.0.0.1:1" },
	"service-closed":        func(s *stack) { s.routes["tcp "+jwtIP+":443"] = "127.0.0.1:1" },
	"sfu-closed":            func(s *stack) { s.routes["tcp "+sfuIP+":443"] = "127.0.0.1:1" },
	"turn-closed":           func(s *stack) { s.routes["tcp "+turnIP+":443"] = "127.0.0.1:1" },
	"ice-tcp-closed":        func(s *stack) { s.routes["tcp "+sfuIP+":7881"] = "127.0.0.1:1" },
	"tls-none":              func(s *stack) { s.routes["tcp "+jwtIP+":443"] = newServer(s, http.NotFoundHandler()) },
	"tls-silent":            func(s *stack) { s.routes["tcp "+jwtIP+":443"] = s.listen().Addr().String() },
	"packets-lost": func(s *stack) {
		s.routes["tcp "+jwtIP+":443"] = s.listen().Addr().String()
		s.serve("10.0.0.33:443", jwtHost, http.NotFoundHandler())
		s.routes["small tcp "+jwtIP+":443"] = s.routes["tcp 10.0.0.33:443"]
	},
	"tls-expired":      func(s *stack) { s.certs[jwtHost] = s.ca.CertificateUntil(time.Now().Add(-time.Hour), jwtHost) },
	"tls-early":        func(s *stack) { s.certs[jwtHost] = s.ca.CertificateFrom(time.Now().Add(time.Hour), jwtHost) },
	"tls-wrong-name":   func(s *stack) { s.certs[jwtHost] = s.ca.Certificate("nas.example.org") },
	"tls-untrusted":    func(s *stack) { s.certs[jwtHost] = matrixtest.NewCA().Certificate(jwtHost) },
	"tls-expires-soon": func(s *stack) { s.certs[jwtHost] = s.ca.CertificateUntil(time.Now().Add(200*time.Hour), jwtHost) },
}

// anonymous removes the options that need a user's access token.
func (s *stack) anonymous() {
	s.options.User, s.options.TokenFile, s.options.Room = matrix.UserID{}, "", ""
}

// file writes a file that the configuration names, and returns its path.
func (s *stack) file(name, text string) string {
	file := filepath.Join(s.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// newServer starts another server with the handler h, and returns its address.
func newServer(s *stack, h http.Handler) string {
	server := httptest.NewServer(h)
	s.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func parse(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}
