package appservice

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// python is that of Synapse's virtualenv.
var python string

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	repository, err := stack.Repository(ctx)
	python = filepath.Join(repository, "build", "synapse", "bin", "python")
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v: e2e/install.sh stack installs Synapse\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// features switch on what the mode needs of Synapse.
const features = `
experimental_features: {msc4143_enabled: true, msc4222_enabled: true, msc4502_enabled: true, msc4512_enabled: true}
max_event_delay_duration: 24h
rc_message: {per_second: 100, burst_count: 1000}
`

// homeserver is a Synapse at which a service is registered.
type homeserver struct {
	*stack.Synapse
	name         matrix.ServerName
	registration appservice.Registration
	client       *http.Client // with the CA of the stack
}

// startHomeservers starts n homeservers that federate, each with a service
// registered that is reached at the URL of proxies.
func startHomeservers(t *testing.T, proxies ...string) []*homeserver {
	t.Helper()
	host := stack.NewHost(t.TempDir())
	t.Cleanup(host.Close)
	ca := matrixtest.NewCA()
	servers := make([]*homeserver, len(proxies))
	for i, proxy := range proxies {
		servers[i] = newHomeserver(t, host, ca, fmt.Sprintf("synapse-%d", i+1), proxy)
	}
	for _, s := range servers {
		if err := s.Start(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("%s:\n%s", s.Name, s.Log().Tail(30))
			}
			if err := s.Stop(); err != nil {
				t.Errorf("stopping %s: %v", s.Name, err)
			}
		})
	}
	return servers
}

func newHomeserver(t *testing.T, host *stack.Host, ca *matrixtest.CA, name, proxy string) *homeserver {
	t.Helper()
	address, err := host.Address()
	if err != nil {
		t.Fatal(err)
	}
	server, err := matrix.ParseServerName(address)
	if err != nil {
		t.Fatal(err)
	}
	s := &homeserver{name: server, registration: appservice.New(appservice.Wish{Server: server, URL: proxy})}
	file := filepath.Join(host.Dir, name+"-registration.yaml")
	if err := appservice.WriteFile(file, s.registration); err != nil {
		t.Fatal(err)
	}
	s.Synapse = &stack.Synapse{
		Host: host, Python: python, Name: name, ServerName: address,
		Federation: &stack.Federation{Address: address, Certificate: ca.Certificate("127.0.0.1"), CA: ca.PEM()},
		Additions:  []string{features, fmt.Sprintf("app_service_config_files: [%q]", file)},
	}
	return s
}

// within bounds a wait.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// api asks the homeserver as its service does.
func (s *homeserver) api(t *testing.T) *matrix.AppService {
	t.Helper()
	base, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &outbound.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &matrix.AppService{Server: s.name, Token: s.registration.ASToken, APIs: &matrix.ClientAPIs{
		Overrides:      map[matrix.ServerName]*url.URL{s.name: base},
		Named:          func(name matrix.ServerName) bool { return name == s.name },
		NamedTransport: transport,
	}}
}

// register makes an account.
func (s *homeserver) register(t *testing.T, localpart string) *account.Account {
	t.Helper()
	a, err := account.Register(within(t, time.Minute), s.URL(), localpart)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// must fails the test.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
