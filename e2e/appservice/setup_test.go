package appservice

import (
	"context"
	"fmt"
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

var (
	repository string
	python     string // the Python of Synapse's virtualenv
	programs   stack.Programs
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "appservice")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// build finds Synapse, and builds LiveKit and the service.
func build(dir string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if repository, err = stack.Repository(ctx); err != nil {
		return err
	}
	python = filepath.Join(repository, "build", "synapse", "bin", "python")
	if _, err = os.Stat(python); err != nil {
		return fmt.Errorf("%w: e2e/install.sh appservice installs Synapse", err)
	}
	programs, err = stack.Build(ctx, dir)
	return err
}

// features holds the settings that switch on the features of Synapse that the
// application-service mode needs.
const features = `
experimental_features: {msc4143_enabled: true, msc4222_enabled: true, msc4502_enabled: true, msc4512_enabled: true}
max_event_delay_duration: 24h
` + unlimited

// unlimited raises Synapse's rate limits for users. Tests can then create rooms, invite
// and join without waiting.
const unlimited = `
rc_message: {per_second: 100, burst_count: 1000}
rc_room_creation: {per_second: 100, burst_count: 1000}
rc_invites:
  per_room: {per_second: 100, burst_count: 1000}
  per_user: {per_second: 100, burst_count: 1000}
  per_issuer: {per_second: 100, burst_count: 1000}
rc_joins:
  local: {per_second: 100, burst_count: 1000}
  remote: {per_second: 100, burst_count: 1000}
rc_joins_per_room: {per_second: 100, burst_count: 1000}
`

// homeserver is a Synapse that knows a service as its application service.
type homeserver struct {
	*stack.Synapse
	name         matrix.ServerName
	registration appservice.Registration
}

// world holds the files and addresses of all processes of a test.
type world struct {
	*stack.Host
	ca *matrixtest.CA
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{stack.NewHost(t.TempDir()), matrixtest.NewCA()}
	t.Cleanup(w.Close)
	return w
}

// part is a process of a deployment that a test starts, like a homeserver.
type part interface {
	Start(context.Context) error
	Stop() error
	Log() stack.Log
}

// start starts a part of the deployment, and stops it when the test ends.
func start(t *testing.T, name string, p part) {
	t.Helper()
	must(t, p.Start(within(t, time.Minute)))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", name, p.Log().Tail(30))
		}
		if err := p.Stop(); err != nil {
			t.Errorf("stopping %s: got %v, want no error", name, err)
		}
	})
}

// newHomeserver creates a homeserver. Its registration says that the service is at the
// address in proxy. If push is set, the homeserver pushes events to that address.
func newHomeserver(t *testing.T, w *world, name, proxy string, push bool, additions ...string) *homeserver {
	t.Helper()
	host, ca := w.Host, w.ca
	address, err := host.Address()
	if err != nil {
		t.Fatal(err)
	}
	server, err := matrix.ParseServerName(address)
	if err != nil {
		t.Fatal(err)
	}
	s := &homeserver{name: server, registration: appservice.New(appservice.Wish{Server: server, URL: proxy, Push: push})}
	file := filepath.Join(host.Dir, name+"-registration.yaml")
	if err := appservice.WriteFile(file, s.registration); err != nil {
		t.Fatal(err)
	}
	s.Synapse = &stack.Synapse{
		Host: host, Python: python, Name: name, ServerName: address,
		Federation: &stack.Federation{Address: address, Certificate: ca.Certificate("127.0.0.1"), CA: ca.PEM()},
		Additions:  append([]string{features, fmt.Sprintf("app_service_config_files: [%q]", file)}, additions...),
	}
	return s
}

// within returns a context with a time limit for one wait.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// api returns a client for the homeserver's API. The client uses the access token of
// the service.
func (s *homeserver) api(t *testing.T) *matrix.AppService {
	t.Helper()
	base, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &outbound.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &matrix.AppService{Server: s.name, Token: s.registration.ASToken, APIs: &matrix.ClientAPIs{
		Overrides: map[matrix.ServerName]*url.URL{s.name: base},
		Servers:   matrix.Servers{Named: func(name matrix.ServerName) bool { return name == s.name }, NamedTransport: transport},
	}}
}

// register creates an account on the homeserver.
func (s *homeserver) register(t *testing.T, localpart string) *account.Account {
	t.Helper()
	a, err := account.Register(within(t, time.Minute), s.URL(), localpart)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// must fails the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
