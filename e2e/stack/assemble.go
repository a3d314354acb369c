package stack

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// assembleSynapse prepares the homeserver. It adds settings to a new homeserver.yaml:
// those that the docs tell users to add, and those for Element Call's matrix_2_0 mode.
func (s *Stack) assembleSynapse(text Docs) error {
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

// homeserverAdditions returns the settings that a user adds to homeserver.yaml. They
// are from setup if s.Written is set, and otherwise from the docs.
func (s *Stack) homeserverAdditions(text Docs) ([]string, error) {
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

// federation returns the listener for other homeservers, or nil if the stack does not
// federate.
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

// deployment returns the path of LiveKit's configuration file, and the variables of the
// file .env.
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

// assembleService prepares a service. Its environment contains the variables of .env
// and compose.yaml, and variables for this machine. The service cannot reach its
// homeserver by name, so two variables contain the homeserver's URL, as the docs
// recommend.
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
		delete(service.Env, "LIVEKIT_STORE") // the image keeps leaves in its own directory
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

func (s *Stack) assembleNginx(text Docs) error {
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
		docs: text, domain: s.Layout.domain, listen: listen, page: s.page,
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

// website writes the well-known file for clients into a directory, and returns the
// directory. The content is from setup if s.Written is set, and otherwise from the
// docs.
func (s *Stack) website(text Docs) (dir string, err error) {
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

func (s *Stack) wellKnown(text Docs) ([]byte, error) {
	if s.Written != "" {
		return os.ReadFile(filepath.Join(s.Written, "well-known-client.json"))
	}
	block, err := text.Block("json", "org.matrix.msc4143.rtc_foci")
	return []byte(s.renamed(block)), err
}

// renamed replaces the host names in a block of the docs by those of the stack.
func (s *Stack) renamed(block string) string {
	return strings.NewReplacer("https://jwt."+docsDomain, s.Layout.Service, docsDomain, s.Layout.domain).Replace(block)
}

// upstream returns two parts of nginx's configuration. One is a group of all services,
// which get requests in turn. The other is a server that passes LiveKit's webhooks to
// this group. Together they do what a Service does in Kubernetes.
func (s *Stack) upstream(balancer string) string {
	var group strings.Builder
	for _, service := range s.Services {
		fmt.Fprintf(&group, "server %s max_fails=1 fail_timeout=5s;\n", service.address)
	}
	return fmt.Sprintf("upstream services {\n%s}\nproxy_next_upstream error timeout;\n"+
		"server {\nlisten %s;\nlocation / { proxy_pass http://services; }\n}\n", group.String(), balancer)
}
