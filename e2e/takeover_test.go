package e2e

import (
	"path/filepath"
	"testing"

	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
)

// unpack writes the deployment of a published guide into a folder.
func unpack(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := stack.Unpack(filepath.Join("..", "setup", "testdata", "from", name+".txtar"), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTakenOverDeploymentCarriesACall lets setup take over deployments of published
// guides. The new deployment must keep the API key, and users must be able to call each
// other. The test replaces addresses, and adds what a fake homeserver needs. It removes
// variables that name files which this machine does not have.
func TestTakenOverDeploymentCarriesACall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secret  string // the expected secret of the API key; "" if setup makes a new one
		flags   []string
		without string
	}{
		"guide":        {secret: "not-so-secret-0123456789-abcdefghijklmn"},
		"nginx":        {secret: "0123456789abcdef0123456789abcdef0123", without: "LIVEKIT_REDIS_URL"},
		"caddy":        {},
		"traefik":      {secret: "abcdefabcdefabcdefabcdefabcdefabcdefabcd"},
		"host-network": {secret: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", flags: []string{"--appservice=false"}, without: "LIVEKIT_CA_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{t: t, host: newHost(t)}
			ca := matrixtest.NewCA()
			s.home, s.remote = s.homeserver(ca), s.homeserver(ca)
			dir := writeDeployment(t, s.home.Name().String(), append(c.flags, "--from", unpack(t, name))...)
			project := loadGenerated(t, dir)
			key, _ := keyOf(t, project)
			if c.secret != "" && key.Secret != c.secret {
				t.Errorf("the secret is %q, want %q", key.Secret, c.secret)
			}
			s.startTaken(dir, key, c.without, environmentOf(project.Services["matrixrtc-auth"].Environment))

			alice := s.join(s.user(s.home, "alice").legacy("/sfu/get", room))
			bob := s.join(s.user(s.home, "bob").getToken(room, "member"))
			for _, p := range []*participant.Participant{alice, bob} {
				publishes(t, p, alice, bob)
			}
		})
	}
}

func environmentOf(values map[string]*string) map[string]string {
	env := map[string]string{}
	for name, value := range values {
		env[name] = *value
	}
	return env
}

// startTaken starts LiveKit and the service with the files that setup wrote to dir. The
// service gets the variables in env, except the one called without.
func (s *scene) startTaken(dir string, key stack.Key, without string, env map[string]string) {
	s.t.Helper()
	service := &stack.Service{Host: s.host}
	if _, err := service.Address(); err != nil {
		s.t.Fatal(err)
	}
	s.sfu = &stack.SFU{
		Host: s.host, Program: programs.SFU, Config: filepath.Join(dir, "livekit.yaml"),
		Keys: []stack.Key{key}, Webhook: service.URL() + "/sfu_webhook",
	}
	startPart(s.t, "SFU", s.sfu)
	env["LIVEKIT_URL"], env["LIVEKIT_INTERNAL_URL"] = s.sfu.URL(), s.sfu.APIURL()
	delete(env, without)
	s.service = s.start(service, "service", key, env)
}
