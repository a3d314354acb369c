package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"matrixrtc-auth/matrix/matrixtest"
)

// Stack is a whole deployment, made from what this project ships: the SFU has
// livekit.yaml.example, Synapse the README's additions to homeserver.yaml,
// nginx the README's locations. Only names, ports and paths are replaced.
type Stack struct {
	Host     *Host
	Programs Programs
	Tools    Tools
	Layout   Layout
	Mode     Mode // of Element Call
	// Env adds to the service's configuration, Homeserver to Synapse's.
	Env        map[string]string
	Homeserver []string
	// Replicas is how many services there are; 0 means one. More than one keep
	// their leaves in Redis.
	Replicas int
	// Nodes is how many SFUs there are; 0 means one, without Redis. More than one
	// share a Redis, which is the services', too, if OneRedis.
	Nodes    int
	OneRedis bool
	// Image and User, when set, are those of the services; see [Service.Image].
	Image string
	User  int
	// EachEnv, if set, adds to the configuration of one of the services.
	EachEnv func(replica int) (map[string]string, error)
	// Federated has the homeserver speak to others. Its server name is the
	// address of its listener then, so that nobody asks DNS, and the service
	// asks homeservers there as it asks others on the internet.
	Federated bool
	// Registered has the service be an application service of the homeserver, and
	// the homeserver advertise that.
	Registered bool
	// Pushed has the homeserver push events to a registered service.
	Pushed bool
	// Lent is a homeserver that runs already, made by StartHomeserver of a stack
	// with the same layout. Starting and stopping this stack leaves it alone.
	Lent *Synapse
	// BareListener has the homeserver listen once more, at [Synapse.Bare].
	BareListener bool
	// NoWebhooks leaves the SFU without webhook.urls.
	NoWebhooks bool
	// Written, when set, is a directory that setup wrote. Its files stand in for
	// those that users copy from the README and the examples.
	Written string
	// RelayMedia has the SFU tell clients the address of a relay; see
	// [SFU.MediaRelay].
	RelayMedia bool
	// MediaOverTCP has the SFU take media over TCP as well; see [SFU.TCP].
	MediaOverTCP bool

	CA           *matrixtest.CA
	Synapse      *Synapse
	Redis        *Redis // nil for one service
	LiveKitRedis *Redis // nil for one SFU
	SFU          *SFU   // the first
	SFUs         []*SFU
	Services     []*Service
	Nginx        *Nginx

	page      page
	nodes     string // where nginx passes requests of the services on to the nodes
	assembled bool
}

// keyName stands in livekit.yaml.example as webhook.api_key.
const keyName = "matrixrtc"

// Start returns once everything answers. What it started has to be stopped
// even when it fails.
func (s *Stack) Start(ctx context.Context) error {
	if err := s.assemble(ctx); err != nil {
		return err
	}
	s.assembled = true
	for _, part := range s.Parts() {
		if err := part.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// StartHomeserver starts the homeserver alone, to be lent to other stacks.
func (s *Stack) StartHomeserver(ctx context.Context) error {
	text, err := OpenReadme(ctx)
	if err != nil {
		return err
	}
	if err := s.assembleSynapse(text); err != nil {
		return err
	}
	return s.Synapse.Start(ctx)
}

// Part is a component of a stack.
type Part interface {
	Start(context.Context) error
	Stop() error
	Log() Log
	Exited() <-chan struct{}
}

// Parts are the components in the order in which they start; none before Start.
func (s *Stack) Parts() []Part {
	if !s.assembled {
		return nil
	}
	var parts []Part
	if s.Lent == nil {
		parts = append(parts, s.Synapse)
	}
	for _, redis := range s.redises() {
		parts = append(parts, redis)
	}
	for _, node := range s.SFUs {
		parts = append(parts, node)
	}
	for _, service := range s.Services {
		parts = append(parts, service)
	}
	return append(parts, s.Nginx)
}

// Stop ends everything, in the order in which deployments end: first what
// clients talk to.
func (s *Stack) Stop() error {
	var faults []error
	parts := s.Parts()
	for i := range parts {
		faults = append(faults, parts[len(parts)-1-i].Stop())
	}
	return errors.Join(faults...)
}

// assemble configures the parts of which none is set yet.
func (s *Stack) assemble(ctx context.Context) error {
	text, err := OpenReadme(ctx)
	if err != nil {
		return err
	}
	if s.CA == nil {
		s.CA = matrixtest.NewCA()
	}
	if s.page, err = buildPage(ctx, s.Host, s.Tools.Page, s.Mode); err != nil {
		return err
	}
	if err := s.assembleSynapse(text); err != nil {
		return err
	}
	if err := s.assembleSFU(ctx); err != nil {
		return err
	}
	if err := s.register(); err != nil {
		return err
	}
	return s.assembleNginx(text)
}

// SetMode changes how Element Call tells who is in a call, for calls that
// start later.
func (s *Stack) SetMode(mode Mode) error { return s.page.setMode(mode) }

// Login is what the page needs to know about who calls where.
type Login struct {
	UserID      string `json:"userId"`
	DeviceID    string `json:"deviceId"`
	AccessToken string `json:"accessToken"`
	RoomID      string `json:"roomId"`
	Encrypted   bool   `json:"encrypted"` // the media
	BaseURL     string `json:"baseUrl"`   // set by Link
}

// Link returns the address of the page under which somebody calls. The page
// finds the login under the name.
func (s *Stack) Link(name string, login Login) (string, error) {
	login.BaseURL = s.Layout.Homeserver
	return s.Layout.Page + "/#" + name, s.page.keepLogin(name, login)
}

// assembleSynapse adds to a fresh homeserver.yaml what the README says, and
// what Element Call's matrix_2_0 mode needs besides.
func (s *Stack) assembleSynapse(text Readme) error {
	if s.Lent != nil {
		s.Synapse = s.Lent
		return nil
	}
	additions, err := s.homeserverAdditions(text)
	if err != nil {
		return err
	}
	federation, err := s.federation()
	if err != nil {
		return err
	}
	s.Synapse = &Synapse{
		Host: s.Host, Federation: federation, Python: s.Tools.Python,
		ServerName: s.Layout.ServerName, BaseURL: s.Layout.Homeserver + "/",
		Additions: slices.Concat(additions, []string{"experimental_features: {msc4354_enabled: true}"}, s.Homeserver),
	}
	if s.BareListener {
		if s.Synapse.Bare, err = s.Host.Address(); err != nil {
			return err
		}
	}
	_, err = s.Synapse.Address()
	return err
}

// homeserverAdditions are what users add to homeserver.yaml.
func (s *Stack) homeserverAdditions(text Readme) ([]string, error) {
	if s.Written != "" {
		written, err := os.ReadFile(filepath.Join(s.Written, "homeserver-additions.yaml"))
		return []string{string(written)}, err
	}
	calls, err := text.Block("yaml", "max_event_delay_duration")
	if err != nil {
		return nil, err
	}
	wellKnown, err := text.Block("yaml", "extra_well_known_client_content")
	if err != nil {
		return nil, err
	}
	return []string{s.renamed(calls), s.renamed(wellKnown)}, nil
}

// federation returns the listener for other homeservers, if there is to be one.
func (s *Stack) federation() (*Federation, error) {
	if !s.Federated {
		return nil, nil
	}
	address, err := s.Host.Address()
	if err != nil {
		return nil, err
	}
	ip, _ := splitAddress(address)
	s.Layout.ServerName = address
	return &Federation{Address: address, Certificate: s.CA.Certificate(ip), CA: s.CA.PEM()}, nil
}

func (s *Stack) assembleSFU(ctx context.Context) error {
	config, env, err := s.deployment(ctx)
	if err != nil {
		return err
	}
	key := Key{ID: env["LIVEKIT_KEY"], Secret: env["LIVEKIT_SECRET"]}
	if err := s.assembleRedis(); err != nil {
		return err
	}
	if err := s.assembleNodes(config, key); err != nil {
		return err
	}
	for i := range max(1, s.Replicas) {
		if err := s.assembleService(i, env); err != nil {
			return err
		}
	}
	return nil
}

// deployment returns the path of LiveKit's configuration, and what stands in
// .env.
func (s *Stack) deployment(ctx context.Context) (config string, env map[string]string, err error) {
	if s.Written != "" {
		env, err = dotenv.Read(filepath.Join(s.Written, ".env"))
		return filepath.Join(s.Written, "livekit.yaml"), env, err
	}
	repository, err := Repository(ctx)
	return filepath.Join(repository, "livekit.yaml.example"), map[string]string{
		"LIVEKIT_KEY": keyName, "LIVEKIT_SECRET": rand.Text() + rand.Text(),
		"LIVEKIT_URL": s.Layout.SFU, "LIVEKIT_FULL_ACCESS_HOMESERVERS": s.Layout.ServerName,
	}, err
}

// assembleService gives a service what .env and compose.yaml give it, and what
// the README says for one that cannot reach its homeserver by name.
func (s *Stack) assembleService(replica int, env map[string]string) error {
	name := fmt.Sprintf("service-%d", replica+1)
	service := &Service{Host: s.Host, Name: name, Program: s.Programs.Service, Image: s.Image, User: s.User, Env: map[string]string{
		"LIVEKIT_INTERNAL_URL":             s.sfuURL(),
		"LIVEKIT_FEDERATION_URL_OVERRIDES": s.Layout.ServerName + "=" + s.Synapse.URL(),
		"LIVEKIT_CS_API_URL_OVERRIDES":     s.Layout.ServerName + "=" + s.Synapse.URL(),
		"LIVEKIT_STORE":                    "file:" + filepath.Join(s.Host.Dir, name+".db"),
		"LIVEKIT_LOG_LEVEL":                "debug",
	}}
	for name, value := range env {
		if _, replaced := service.Env[name]; !replaced {
			service.Env[name] = value
		}
	}
	if s.Image != "" {
		delete(service.Env, "LIVEKIT_STORE") // the image has a place for it
	}
	if s.Redis != nil {
		service.Env["LIVEKIT_STORE"], service.Env["LIVEKIT_REDIS_URL"] = "redis", s.Redis.URL()
	}
	if s.Federated {
		ca, err := s.Host.WriteFile("ca.pem", s.CA.PEM())
		if err != nil {
			return err
		}
		service.Env["LIVEKIT_CA_FILE"], service.Env["LIVEKIT_ALLOWED_NETWORKS"] = ca, "127.0.0.0/8"
		delete(service.Env, "LIVEKIT_FEDERATION_URL_OVERRIDES")
	}
	maps.Copy(service.Env, s.Env)
	if s.EachEnv != nil {
		its, err := s.EachEnv(replica)
		if err != nil {
			return err
		}
		maps.Copy(service.Env, its)
	}
	s.Services = append(s.Services, service)
	_, err := service.Address()
	return err
}

func (s *Stack) assembleNginx(text Readme) error {
	if s.Nginx == nil {
		s.Nginx = &Nginx{Host: s.Host, Program: s.Tools.Nginx}
	}
	listen, err := s.Nginx.Address()
	if err != nil {
		return err
	}
	balancer, err := s.Host.Address()
	if err != nil {
		return err
	}
	s.Nginx.Inside = append(s.Nginx.Inside, balancer)
	if s.nodes != "" {
		s.Nginx.Inside = append(s.Nginx.Inside, s.nodes)
	}
	for _, node := range s.SFUs {
		if !s.NoWebhooks {
			node.Webhook = "http://" + balancer + "/sfu_webhook"
		}
	}
	site := site{
		readme: text, domain: s.Layout.domain, listen: listen, page: s.page,
		service: "services", homeserver: s.Synapse.address,
		sfu: s.sfuName(),
	}
	if site.web, err = s.website(text); err != nil {
		return err
	}
	site.certificate, site.key, err = s.Host.writeCertificate("nginx", s.CA.Certificate(s.Layout.Names...))
	if err != nil {
		return err
	}
	servers, err := s.Layout.servers(site)
	s.Nginx.Servers = s.upstream(balancer) + s.sfuUpstream() + servers
	return err
}

// website writes what the server name's website has, the README's well-known
// file or setup's, and returns its directory.
func (s *Stack) website(text Readme) (dir string, err error) {
	content, err := s.wellKnown(text)
	if err != nil {
		return "", err
	}
	const file = "www/.well-known/matrix/client"
	if err := os.MkdirAll(filepath.Dir(filepath.Join(s.Host.Dir, file)), 0o700); err != nil {
		return "", err
	}
	_, err = s.Host.WriteFile(file, content)
	return filepath.Join(s.Host.Dir, "www"), err
}

func (s *Stack) wellKnown(text Readme) ([]byte, error) {
	if s.Written != "" {
		return os.ReadFile(filepath.Join(s.Written, "well-known-client.json"))
	}
	block, err := text.Block("json", "org.matrix.msc4143.rtc_foci")
	return []byte(s.renamed(block)), err
}

// renamed replaces the README's names in what it has of the homeserver's.
func (s *Stack) renamed(block string) string {
	return strings.NewReplacer("https://jwt."+readmeDomain, s.Layout.Service, readmeDomain, s.Layout.domain).Replace(block)
}

// upstream is the group of the services, in turn, and an address inside for
// LiveKit's webhooks: what a Service is in Kubernetes.
func (s *Stack) upstream(balancer string) string {
	var group strings.Builder
	for _, service := range s.Services {
		fmt.Fprintf(&group, "server %s max_fails=1 fail_timeout=5s;\n", service.address)
	}
	return fmt.Sprintf("upstream services {\n%s}\nproxy_next_upstream error timeout;\n"+
		"server {\nlisten %s;\nlocation / { proxy_pass http://services; }\n}\n", group.String(), balancer)
}

// Hosts has nginx's address for each host name of the layout: what a browser
// or curl is told instead of DNS.
func (s *Stack) Hosts() map[string]string {
	hosts := map[string]string{}
	for _, name := range s.Layout.Names {
		hosts[name] = s.Nginx.address
	}
	return hosts
}
