package browser

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"testing"
	"time"

	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
)

// notForThisStack lists the checks that doctor skips in a deployment that follows
// docs/synology.md. The value is the reason for the skip.
var notForThisStack = map[string]string{
	"config.registration":    "there is no application service",
	"service.app_service":    "there is no application service",
	"service.membership":     "no homeserver says who is joined",
	"livekit.external_ip":    "nobody here may ask STUN servers on the internet",
	"homeserver.legacy_turn": "the homeserver has no TURN server for legacy calls",
}

// TestDoctor checks that doctor finds no fault in a deployment that follows
// docs/synology.md, from inside and from outside. Doctor must skip only the checks in
// notForThisStack and the checks that a subtest names.
func TestDoctor(t *testing.T) {
	t.Run("sub-domains", func(t *testing.T) {
		// LiveKit has a host name of its own. From outside, the server name leads only
		// to a website.
		bothVantages(t, stack.SubDomains(stack.Domain), lent, map[string]string{"sfu.bare_prefix": "na"}, map[string]string{"homeserver.identity": "na"})
	})
	t.Run("prefixes", func(t *testing.T) {
		// This layout's livekit_service_url ends in a slash, as in many deployments.
		bothVantages(t, stack.Prefixes(), func(*stack.Stack) {}, map[string]string{"homeserver.foci": "warn"}, nil)
	})
}

// bothVantages runs doctor inside a stack and from outside. want has the
// expected result of each check that does not end with "ok". The map there has
// those results that are different when doctor runs from outside.
func bothVantages(t *testing.T, layout stack.Layout, change func(*stack.Stack), want, there map[string]string) {
	s := newStack(t, layout, func(s *stack.Stack) {
		change(s)
		s.MediaOverTCP = true
		s.CA = matrixtest.NewCA()
		ca, err := s.Host.WriteFile("ca.pem", s.CA.PEM())
		if err != nil {
			t.Fatal(err)
		}
		s.Env = map[string]string{"LIVEKIT_CA_FILE": ca}
		s.Nginx = &stack.Nginx{Host: s.Host, Program: tools.Nginx, Listen: ownHTTPS(t, s.Host)}
	})
	inside := maps.Clone(s.Services[0].Env)
	address, err := s.Services[0].Address()
	if err != nil {
		t.Fatal(err)
	}
	inside["LIVEKIT_JWT_BIND"] = address
	user := asUser(t, s)
	t.Run("inside", func(t *testing.T) {
		isAllRight(t, inside, 72, want, append(user, "--livekit-yaml", filepath.Join(s.Host.Dir, "sfu.yaml"))...)
	})
	outside := map[string]string{"SSL_CERT_FILE": inside["LIVEKIT_CA_FILE"]}
	t.Run("outside", func(t *testing.T) {
		// The homeserver does not federate, so no program listens at port 8448.
		want["homeserver.userinfo"] = "warn"
		maps.Copy(want, there)
		isAllRight(t, outside, 38, want, append(user, "--outside", "--server-name", stack.Domain)...)
	})
}

// ownHTTPS returns an address with port 443, at which nginx can listen.
func ownHTTPS(t *testing.T, host *stack.Host) string {
	t.Helper()
	address, err := host.HTTPS()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// asUser returns doctor's options for a new user and their room. It also returns the
// options that make doctor resolve the stack's host names.
func asUser(t *testing.T, s *stack.Stack) []string {
	t.Helper()
	alice := newPerson(t, s, "alice")
	room, err := alice.CreateCallRoom(within(t, starting), false)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Host.WriteFile("token", []byte(alice.AccessToken+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--user", alice.UserID, "--token-file", token, "--room", room}
	for name, address := range s.Hosts() {
		host, _, _ := net.SplitHostPort(address)
		args = append(args, "--resolve", name+":443:"+host, "--resolve", fmt.Sprintf("%s:%d:127.0.0.1", name, s.SFU.TCPPort()))
	}
	return args
}

// isAllRight runs doctor, which must make the given number of checks. The map want has
// the expected results of some checks. All other checks must end with "ok", or be in
// notForThisStack.
func isAllRight(t *testing.T, env map[string]string, checks int, want map[string]string, args ...string) {
	t.Helper()
	start := time.Now()
	d, err := stack.Diagnose(within(t, starting), programs.Service, env, args...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Checks {
		status := cmp.Or(want[c.ID], "ok")
		if notForThisStack[c.ID] != "" {
			status = "na"
		}
		if c.Status != status {
			t.Errorf("%s: got %s, want %s: %s %s", c.ID, c.Status, status, c.Seen, cmp.Or(c.Cause, "no cause"))
		}
		t.Logf("%s %s: %s", c.Status, c.ID, c.Seen)
	}
	if d.Code != 0 || len(d.Checks) != checks {
		t.Errorf("exit code %d, %d checks, want %d", d.Code, len(d.Checks), checks)
	}
	t.Logf("took %s", time.Since(start))
}
