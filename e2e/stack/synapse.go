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

// Synapse is a homeserver with an SQLite database of its own.
type Synapse struct {
	Host       *Host
	Python     string // of the virtualenv that holds it
	Name       string // of its directory and log; "synapse" when empty
	ServerName string
	// BaseURL is where clients reach it; its own URL when empty.
	BaseURL string
	// Additions are merged into the configuration in turn: mappings by their
	// keys, everything else by replacing it.
	Additions []string
	// Bare, when set, is the address of a listener that serves clients alone:
	// nobody can ask there who a user is.
	Bare string
	// Federation, when set, is a listener for other homeservers.
	Federation *Federation

	address string
	process *process
}

// Federation is where other homeservers reach a Synapse, and what it trusts.
type Federation struct {
	Address     string // with the port that its server name has
	Certificate tls.Certificate
	CA          []byte // PEM
}

//go:embed homeserver.yaml
var freshHomeserver []byte

// Start returns once Synapse answers at every listener. A second Start, after Stop or Kill, comes
// back on the same port with what it knew.
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

// ready reports whether every listener answers; of that for other homeservers,
// with the certificate that they trust.
func (s *Synapse) ready(ctx context.Context) bool {
	if !answers(ctx, s.URL()+"/health") || s.Bare != "" && !answers(ctx, "http://"+s.Bare+"/health") {
		return false
	}
	return s.Federation == nil || s.Federation.answers(ctx)
}

// listening are the addresses of its listeners.
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

// Address reserves the address of its client listener.
func (s *Synapse) Address() (string, error) {
	if s.address != "" {
		return s.address, nil
	}
	var err error
	s.address, err = s.Host.Address()
	return s.address, err
}

// URL is its client listener without a proxy. The same port has the federation
// resource, as Synapse's own default configuration has it.
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

// writeSigningKey makes the key that Synapse signs with, unless it has one. The
// key is derived from the server name, so that a later Synapse of the same name
// has the same key: other servers remember it.
func (s *Synapse) writeSigningKey() error {
	path := filepath.Join(s.directory(), "signing.key")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	seed := sha256.Sum256([]byte(s.ServerName)) // of ed25519.SeedSize
	line := fmt.Sprintf("ed25519 a_test %s\n", base64.RawStdEncoding.EncodeToString(seed[:]))
	return os.WriteFile(path, []byte(line), 0o600)
}

func (s *Synapse) configuration() ([]byte, error) {
	doc := map[string]any{}
	for _, text := range append([]string{string(freshHomeserver)}, s.Additions...) {
		var addition map[string]any
		if err := yaml.Unmarshal([]byte(text), &addition); err != nil {
			return nil, fmt.Errorf("addition to homeserver.yaml: %w", err)
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

// merge puts an addition into doc, key by key.
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

// listener describes a listener for homeserver.yaml.
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

// federate adds the listener with TLS and what belongs to it.
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

// Stop asks Synapse to end, and returns how it did.
func (s *Synapse) Stop() error { return s.process.stop(patience{kill: 20 * time.Second}) }

// Kill ends it at once, as a crash does.
func (s *Synapse) Kill() { s.process.kill() }

// Exited is closed when a started Synapse has ended.
func (s *Synapse) Exited() <-chan struct{} { return s.process.exited }

// Log is what a started Synapse has written.
func (s *Synapse) Log() Log { return s.process.log }
