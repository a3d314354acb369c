package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
)

// programs has the paths of the built programs. TestMain builds them before the tests
// run.
var programs stack.Programs

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "matrixrtc-auth-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if programs, err = stack.Build(context.Background(), dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// example is the path of the configuration file that users give to their SFU.
const example = "../livekit.yaml.example"

// key is the API key that the SFU and the service share. Its name is the
// webhook.api_key of the example file.
var key = stack.Key{ID: "matrixrtc", Secret: "a-secret-of-more-than-32-characters"}

// scene is the deployment of one test: two homeservers, an SFU and a service. Users of
// the first homeserver (home) have full access. Users of the second homeserver (remote)
// may only join existing rooms.
type scene struct {
	t            *testing.T
	host         *stack.Host
	home, remote *matrixtest.Server
	sfu          *stack.SFU
	service      *stack.Service
}

// newScene starts the homeservers, an SFU with these keys, and a service with the first
// key. env has additional environment variables of the service.
func newScene(t *testing.T, env map[string]string, keys ...stack.Key) *scene {
	t.Helper()
	s := &scene{t: t, host: newHost(t)}
	ca := matrixtest.NewCA()
	s.home, s.remote = s.homeserver(ca), s.homeserver(ca)
	s.sfu = &stack.SFU{Host: s.host, Program: programs.SFU, Config: example, Keys: keys}
	startPart(t, "SFU", s.sfu)
	s.service = s.startService("service", keys[0], env)
	return s
}

func newHost(t *testing.T) *stack.Host {
	host := stack.NewHost(t.TempDir())
	t.Cleanup(host.Close)
	return host
}

func (s *scene) homeserver(ca *matrixtest.CA) *matrixtest.Server {
	address, err := s.host.Address()
	if err != nil {
		s.t.Fatal(err)
	}
	server := matrixtest.NewServer(matrixtest.Listen(address), matrixtest.SignedBy(ca))
	s.t.Cleanup(server.Close)
	return server
}

// startService starts a service that uses the SFU of s and signs tokens with the key.
func (s *scene) startService(name string, key stack.Key, env map[string]string) *stack.Service {
	s.t.Helper()
	return s.start(&stack.Service{Host: s.host}, name, key, env)
}

// start starts the given service as startService does. The service may already have an
// address.
func (s *scene) start(service *stack.Service, name string, key stack.Key, env map[string]string) *stack.Service {
	s.t.Helper()
	ca, err := s.host.WriteFile("ca.pem", s.home.CACert())
	if err != nil {
		s.t.Fatal(err)
	}
	service.Name, service.Program = name, programs.Service
	service.Env = map[string]string{
		"LIVEKIT_URL":                     s.sfu.URL(),
		"LIVEKIT_KEY":                     key.ID,
		"LIVEKIT_SECRET":                  key.Secret,
		"LIVEKIT_FULL_ACCESS_HOMESERVERS": s.home.Name().String(),
		"LIVEKIT_CA_FILE":                 ca,
		// The service's configuration does not name the second homeserver (remote). So
		// the service connects to this homeserver only at addresses that are allowed
		// for unnamed homeservers.
		"LIVEKIT_ALLOWED_NETWORKS": "127.0.0.0/8",
		"LIVEKIT_STORE":            "memory", // no file, even if this machine has a directory /data
	}
	maps.Copy(service.Env, env)
	startPart(s.t, name, service)
	return service
}

// part has the methods that the SFU and the service have in common.
type part interface {
	Start(context.Context) error
	Stop() error
	Log() stack.Log
}

// startPart starts a part of the deployment, and stops the part when the test ends. The
// part's method Stop must return no error. If the test fails, startPart shows the end
// of the part's log.
func startPart(t *testing.T, name string, p part) {
	t.Helper()
	if err := p.Start(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("stopping %s: got %v, want no error", name, err)
		}
		if t.Failed() {
			t.Logf("%s log:\n%s", name, p.Log().Tail(30))
		}
	})
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// user is a user with an account and a device.
type user struct {
	*scene
	home   *matrixtest.Server
	id     string
	device string
}

func (s *scene) user(home *matrixtest.Server, localpart string) user {
	return user{s, home, home.UserID(localpart), "DEVICE"}
}

// openID returns a new OpenID token of the user.
func (u user) openID() caller.OpenIDToken {
	return caller.OpenIDToken{
		AccessToken:      u.home.IssueToken(u.id),
		ExpiresIn:        3600,
		MatrixServerName: u.home.Name().String(),
		TokenType:        "Bearer",
	}
}

// legacy requests a token in the way of older clients, at /sfu/get or at the path /.
func (u user) legacy(path, room string) caller.Answer {
	u.t.Helper()
	return u.post(path, caller.Legacy{Room: room, OpenIDToken: u.openID(), DeviceID: u.device})
}

// getToken requests a token in the way of newer clients, at /get_token.
func (u user) getToken(room, member string) caller.Answer {
	u.t.Helper()
	return u.post("/get_token", caller.Request{
		RoomID: room, SlotID: "m.call#ROOM", OpenIDToken: u.openID(),
		Member: caller.Member{ID: member, ClaimedUserID: u.id, ClaimedDeviceID: u.device},
	})
}

func (u user) post(path string, body any) caller.Answer {
	u.t.Helper()
	answer, err := caller.Post(within(u.t, 20*time.Second), u.service.URL()+path, body)
	if err != nil {
		u.t.Fatal(err)
	}
	return answer
}

// join makes a participant join the SFU that the answer names. The participant leaves
// when the test ends.
func (s *scene) join(answer caller.Answer) *participant.Participant {
	s.t.Helper()
	if answer.Status != 200 {
		s.t.Fatalf("the service answered %d: %s", answer.Status, answer.Body)
	}
	p, err := participant.Join(within(s.t, 20*time.Second), answer.URL, answer.JWT)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Leave)
	return p
}

// writeFile writes a file into the directory of the test's deployment, and returns its
// path.
func (s *scene) writeFile(name, content string) string {
	s.t.Helper()
	path, err := s.host.WriteFile(name, []byte(content))
	if err != nil {
		s.t.Fatal(err)
	}
	return filepath.Clean(path)
}
