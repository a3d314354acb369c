package stack

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// Synapse is a homeserver that runs with its own SQLite database.
type Synapse struct {
	Host       *Host
	Python     string // the Python interpreter of the virtualenv that contains Synapse
	Name       string // the name of Synapse's directory and log; "synapse" if empty
	ServerName string
	// BaseURL is the homeserver's public URL for clients. If it is "", Synapse uses the
	// URL of its own listener.
	BaseURL string
	// Additions are settings in YAML. Start merges them into homeserver.yaml one after the
	// other. A mapping is merged key by key. Any other value replaces the old value.
	Additions []string
	// Bare, if not "", is the address of a second listener. This listener is only for
	// clients, so it does not answer when the service asks about an OpenID token.
	Bare string
	// Federation, if not nil, is the listener for other homeservers.
	Federation *Federation

	address string
	process *process
}

// Federation is the listener for other homeservers. It has a certificate, and the
// authority that signs the certificates of all homeservers.
type Federation struct {
	Address     string // the address of the listener; its port is the port in the server name
	Certificate tls.Certificate
	CA          []byte // the certificate authority in PEM form
}

//go:embed homeserver.yaml
var freshHomeserver []byte

// Start returns when all listeners answer. After Stop or Kill, a new Start uses the
// same port and data.
func (s *Synapse) Start(ctx context.Context) error {
	if _, err := s.Address(); err != nil {
		return err
	}
	if err := s.writeFiles(); err != nil {
		return err
	}
	var err error
	s.process, err = start(ctx, s.Host, command{
		binds: s.listening(),
		name:  s.name(), program: s.Python, dir: s.directory(),
		args: []string{"-m", "synapse.app.homeserver", "-c", "homeserver.yaml"},
	})
	if err != nil {
		return err
	}
	return s.process.await(ctx, func() bool { return s.ready(ctx) })
}

// ready reports whether all listeners answer. It also checks the certificate of the
// listener for other homeservers.
func (s *Synapse) ready(ctx context.Context) bool {
	if !answers(ctx, s.URL()+"/health") || s.Bare != "" && !answers(ctx, "http://"+s.Bare+"/health") {
		return false
	}
	return s.Federation == nil || s.Federation.answers(ctx)
}

// listening returns the addresses of all listeners of Synapse.
func (s *Synapse) listening() []string {
	addresses := []string{s.address}
	if s.Bare != "" {
		addresses = append(addresses, s.Bare)
	}
	if s.Federation != nil {
		addresses = append(addresses, s.Federation.Address)
	}
	return addresses
}

func (f *Federation) answers(ctx context.Context) bool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(f.CA)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return answersTo(ctx, client, "https://"+f.Address+"/_matrix/federation/v1/version")
}

func (s *Synapse) name() string {
	if s.Name == "" {
		return "synapse"
	}
	return s.Name
}

func (s *Synapse) directory() string { return filepath.Join(s.Host.Dir, s.name()) }

// Address reserves the address of the listener for clients, and returns it.
func (s *Synapse) Address() (string, error) {
	if s.address != "" {
		return s.address, nil
	}
	var err error
	s.address, err = s.Host.Address()
	return s.address, err
}

// URL returns the URL of the listener for clients, without a proxy. As in Synapse's
// default configuration, this listener also has the resource federation.
func (s *Synapse) URL() string { return "http://" + s.address }

func (s *Synapse) writeFiles() error {
	if err := os.MkdirAll(s.directory(), 0o700); err != nil {
		return err
	}
	if err := s.writeSigningKey(); err != nil {
		return err
	}
	content, err := s.configuration()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.directory(), "homeserver.yaml"), content, 0o600)
}

// writeSigningKey creates Synapse's signing key if there is none. The key depends only
// on the server name. Other homeservers remember the key, so a new Synapse with the
// same name must have the same key.
func (s *Synapse) writeSigningKey() error {
	path := filepath.Join(s.directory(), "signing.key")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	seed := sha256.Sum256([]byte(s.ServerName)) // 32 bytes, as ed25519.SeedSize says
	line := fmt.Sprintf("ed25519 a_test %s\n", base64.RawStdEncoding.EncodeToString(seed[:]))
	return os.WriteFile(path, []byte(line), 0o600)
}

func (s *Synapse) configuration() ([]byte, error) {
	doc := map[string]any{}
	for _, text := range append([]string{string(freshHomeserver)}, s.Additions...) {
		var addition map[string]any
		if err := yaml.Unmarshal([]byte(text), &addition); err != nil {
			return nil, fmt.Errorf("the addition to homeserver.yaml cannot be parsed: %w", err)
		}
		merge(doc, addition)
	}
	doc["server_name"] = s.ServerName
	doc["public_baseurl"] = s.BaseURL
	if s.BaseURL == "" {
		doc["public_baseurl"] = s.URL() + "/"
	}
	doc["listeners"] = []any{listener(s.address, false, "client", "federation")}
	if s.Bare != "" {
		doc["listeners"] = append(doc["listeners"].([]any), listener(s.Bare, false, "client"))
	}
	if s.Federation != nil {
		if err := s.federate(doc); err != nil {
			return nil, err
		}
	}
	return yaml.Marshal(doc)
}

// merge adds settings to doc. It merges mappings key by key.
func merge(doc, addition map[string]any) {
	for key, value := range addition {
		old, isMap := doc[key].(map[string]any)
		inner, bothMaps := value.(map[string]any)
		if isMap && bothMaps {
			merge(old, inner)
			continue
		}
		doc[key] = value
	}
}

// listener returns a listener in the form of homeserver.yaml.
func listener(address string, tls bool, resources ...string) map[string]any {
	host, port := splitAddress(address)
	return map[string]any{
		"bind_addresses": []string{host},
		"port":           port,
		"type":           "http",
		"tls":            tls,
		"x_forwarded":    true,
		"resources":      []any{map[string]any{"names": resources}},
	}
}

// federate adds the TLS listener for other homeservers, and the settings for it.
func (s *Synapse) federate(doc map[string]any) error {
	certificate, key, err := s.Host.writeCertificate(s.name(), s.Federation.Certificate)
	if err != nil {
		return err
	}
	ca, err := s.Host.WriteFile(s.name()+"-ca.pem", s.Federation.CA)
	if err != nil {
		return err
	}
	doc["tls_certificate_path"], doc["tls_private_key_path"] = certificate, key
	doc["federation_custom_ca_list"] = []string{ca}
	doc["listeners"] = append(doc["listeners"].([]any), listener(s.Federation.Address, true, "federation"))
	return nil
}

// Stop ends Synapse. It returns an error if Synapse ends with an error, or does not end
// in time.
func (s *Synapse) Stop() error { return s.process.stop(ending{kill: 20 * time.Second}) }

// Kill ends Synapse immediately, as a crash does.
func (s *Synapse) Kill() { s.process.kill() }

// Exited returns a channel that is closed when a started Synapse has ended.
func (s *Synapse) Exited() <-chan struct{} { return s.process.exited }

// Log returns the log of a started Synapse.
func (s *Synapse) Log() Log { return s.process.log }
