package doctor_test

import (
	"crypto/tls"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// apexIP6 is a server name that is an IPv6 address.
const apexIP6 = "[fd00::1]"

// The names and addresses of the stack. All of them lead to loopback.
const (
	apexHost, matrixHost, jwtHost, sfuHost, turnHost, stunHost = "example.org", "matrix.example.org", "jwt.example.org", "sfu.example.org", "turn.example.org", "stun.example.org"
	apexIP, matrixIP, jwtIP, sfuIP, turnIP, stunIP             = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"

	userID    = "@alice:" + apexHost
	userToken = "syt_alice"
	version   = "1.2.3"
)

// slowness is how many times slower than usual the machine of the tests may be.
const slowness = 5

var stackKey = sfu.Key{ID: "matrixrtc", Secret: secret.New("a-secret-of-the-doctor's-stack-0123456789")}

// stack is a deployment on loopback: a homeserver, this service behind a proxy,
// and an SFU. A test can change any field before it starts the stack.
type stack struct {
	t   *testing.T
	ca  *matrixtest.CA
	net *matrixtest.Network // answers look-ups of SRV records

	env       map[string]string
	container bool // the service runs in a container and listens only on its loopback address
	files     map[string]string
	unread    map[string]error // the error of reading each of these files; the keys are paths
	modes     map[string]fs.FileMode
	options   doctor.Options

	dns         map[string][]string // the IP addresses of each host
	dnsError    map[string]error
	deaf        bool              // the name server does not answer look-ups of SRV records
	unreachable map[string]bool   // addresses that this machine has no route to
	routes      map[string]string // the address to which a connection really goes, by network and IP:port; "silent" means that nothing answers
	certs       map[string]tls.Certificate

	hs        *matrixtest.Homeserver
	kind      string                         // the homeserver's program
	name      string                         // the server name that the homeserver tells
	wellKnown func(host string) http.Handler // the documents of the server name and of the homeserver's host
	features  map[string]any                 // the unstable features in /versions
	transport http.Handler                   // answers rtc/transports for requests with a token
	client    func(http.Handler) http.Handler
	fed       func(http.Handler) http.Handler

	lk       *sfutest.SFU
	livekit  func(http.Handler) http.Handler // changes LiveKit's answers to this service
	jwtProxy func(http.Handler) http.Handler // changes the answers of this service to clients
	sfuProxy func(http.Handler) http.Handler // changes the answers of LiveKit to clients
	service  func(*handler.Handler)
	flaws    []sfutest.Flaw
	webhooks bool

	media    instruments.Media
	joinErr  error
	closedTo string   // no join succeeds at addresses with this beginning
	visitor  string   // the client address that the service's proxy sees
	tells    []string // the headers in which the service's proxy names the client's address
	appends  bool     // the proxy keeps the client's headers of these names, and appends its value
	silence  bool     // participants receive no data from each other
	inside   string
}

func newStack(t *testing.T) *stack {
	s := &stack{
		t: t, ca: matrixtest.NewCA(), net: matrixtest.NewNetwork(),
		files: map[string]string{}, unread: map[string]error{}, modes: map[string]fs.FileMode{}, dnsError: map[string]error{}, unreachable: map[string]bool{}, routes: map[string]string{}, certs: map[string]tls.Certificate{},
		dns: map[string][]string{
			apexHost: {apexIP}, matrixHost: {matrixIP}, jwtHost: {jwtIP}, sfuHost: {sfuIP}, turnHost: {turnIP}, stunHost: {stunIP},
		},
		hs: &matrixtest.Homeserver{}, name: apexHost, kind: "Synapse", lk: sfutest.New(stackKey), webhooks: true, visitor: "198.51.100.7", tells: []string{"X-Forwarded-For", "X-Real-IP"},
		features: map[string]any{"org.matrix.msc4140": true},
	}
	none := func(h http.Handler) http.Handler { return h }
	s.client, s.fed, s.livekit, s.jwtProxy, s.sfuProxy = none, none, none, none, none
	s.service = func(*handler.Handler) {}
	s.wellKnown = func(string) http.Handler { return document(goodDocument) }
	s.transport = answering(`{"rtc_transports":[{"type":"livekit","livekit_service_url":"https://jwt.example.org"}]}`)
	s.configure()
	s.media = instruments.Media{
		Username: "theirs:ours", Password: "a-password-of-22-letters", Way: "udp",
		Candidates: []instruments.Candidate{address("udp", sfuIP+":50000"), address("tcp", sfuIP+":7881")},
		Servers:    []instruments.ICEServer{{URLs: []string{"turn:" + turnHost + ":3478?transport=udp", "turns:" + turnHost + ":443?transport=tcp"}, Username: "user", Password: "password"}},
	}
	return s
}

const goodDocument = `{"m.homeserver":{"base_url":"https://matrix.example.org"},
"org.matrix.msc4143.rtc_foci":[{"type":"livekit","livekit_service_url":"https://jwt.example.org"}]}`

// configure sets the environment and the files that an operator writes.
func (s *stack) configure() {
	dir := s.t.TempDir()
	path := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
		return file
	}
	s.env = map[string]string{
		"LIVEKIT_URL":                     "wss://" + sfuHost,
		"LIVEKIT_INTERNAL_URL":            "http://livekit:7880",
		"LIVEKIT_KEY":                     stackKey.ID,
		"LIVEKIT_SECRET":                  stackKey.Secret.Reveal(),
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": apexHost,
		"LIVEKIT_CA_FILE":                 path("ca.pem", string(s.ca.PEM())),
		"LIVEKIT_STORE":                   "memory",
	}
	s.dns["livekit"] = []string{"10.0.0.7"}
	s.files["/etc/livekit.yaml"] = goodLiveKit
	s.files["/proc/sys/net/ipv4/ip_local_port_range"] = "32768\t60999\n"
	s.files["/token"] = userToken + "\n"
	user, _ := matrix.ParseUserID(userID)
	s.options = doctor.Options{User: user, TokenFile: "/token", Room: "!room:" + apexHost}
}

const goodLiveKit = `port: 7880
rtc:
  tcp_port: 7881
  port_range_start: 20000
  port_range_end: 20200
  use_external_ip: true
  stun_servers: [stun.example.org]
room:
  auto_create: false
webhook:
  api_key: matrixrtc
  urls: ["http://matrixrtc-auth:8080/sfu_webhook"]
turn:
  enabled: true
  udp_port: 3478
  domain: turn.example.org
  tls_port: 5349
  external_tls: true
`

// document serves text as the well-known document. If text has no key m.server,
// it serves text only to clients, and answers 404 for
// .well-known/matrix/server.
func document(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/matrix/server" && !strings.Contains(text, `"m.server"`) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		answering(text).ServeHTTP(w, nil)
	})
}

func answering(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, text)
	})
}

// look starts the stack and returns the Look with which doctor examines it.
func (s *stack) look() *doctor.Look {
	network := &instruments.Network{DNS: s, SRV: s.net.Resolver(), Dial: s.dial, DialSmall: s.dialSmall, Join: s.join, Slowness: slowness}
	if s.deaf {
		network.SRV = &net.Resolver{PreferGo: true, Dial: deafDNS}
	}
	lab := &doctor.Look{Network: network, ReadFile: s.readFile, Stat: s.stat, Group: 65532, Version: version}
	if s.options.Outside {
		lab.Roots = s.ca.Pool() // from outside, doctor has no configuration that names the trusted certificates
	}
	s.start()
	return lab
}

// examine runs doctor with the stack's options.
func (s *stack) examine() engine.Report {
	look := s.look()
	if err := doctor.Prepare(look, &s.options, s.load); err != nil {
		s.t.Fatal(err)
	}
	return doctor.Examine(s.t.Context(), look, s.options, func(string, engine.Status, int) {})
}

// environment protects the process's environment variables, which all stacks
// set.
var environment sync.Mutex

// load reads the stack's configuration as the program does.
func (s *stack) load() (config.Config, []config.Warning, error) {
	environment.Lock()
	defer environment.Unlock()
	for _, v := range config.Variables() {
		os.Setenv(v.Name, s.env[v.Name])
		defer os.Unsetenv(v.Name)
	}
	c, warnings, err := config.Inspect()
	// The result must not depend on whether this machine is a container.
	warnings = slices.DeleteFunc(warnings, func(w config.Warning) bool { return w.Kind == config.ContainerAlone })
	if s.container {
		warnings = append(warnings, config.Warning{Variable: "LIVEKIT_JWT_BIND", Kind: config.ContainerAlone, Text: "for this container alone"})
	}
	return c, warnings, err
}

func (s *stack) readFile(name string) ([]byte, error) {
	if err := s.unread[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if text, there := s.files[name]; there {
		return []byte(text), nil
	}
	if strings.HasPrefix(name, os.TempDir()) {
		return os.ReadFile(name)
	}
	return nil, os.ErrNotExist
}

// stat returns the mode of a file, the only property that doctor asks for.
func (s *stack) stat(name string) (fs.FileInfo, error) {
	if mode, there := s.modes[name]; there {
		return fstest.MapFS{"file": {Mode: mode}}.Stat("file")
	}
	return nil, os.ErrNotExist
}
