package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/matrix/matrixtest"
)

// anHour is the delay of the leaves that Element Call delegates.
const anHour = time.Hour

// member is a client in a call. The client has delegated its leave to the service.
type member struct {
	user
	delayID string
	room    string
}

// newLeaveScene starts a deployment whose SFU sends webhooks to the service.
func newLeaveScene(t *testing.T, env map[string]string) *scene {
	t.Helper()
	s := &scene{t: t, host: newHost(t)}
	ca := matrixtest.NewCA()
	s.home, s.remote = s.homeserver(ca), s.homeserver(ca)
	service := &stack.Service{Host: s.host}
	if _, err := service.Address(); err != nil {
		t.Fatal(err)
	}
	s.sfu = &stack.SFU{Host: s.host, Program: programs.SFU, Config: example, Keys: []stack.Key{key}, Webhook: service.URL() + "/sfu_webhook"}
	startPart(t, "SFU", s.sfu)
	s.service = s.start(service, "service", key, env)
	return s
}

// delegate makes a new client get a token and delegate its leave.
func (s *scene) delegate(localpart string) (member, caller.Answer) {
	s.t.Helper()
	m := member{user: s.user(s.home, localpart), delayID: "syd_" + localpart, room: "!" + s.t.Name() + ":example.org"}
	return m, m.again(m.delayID)
}

// This method gets a new token for the same client, and delegates a new leave.
func (m *member) again(delayID string) caller.Answer {
	m.t.Helper()
	m.delayID = delayID
	m.scene.home.Schedule(delayID, anHour)
	answer := m.post("/sfu/get", caller.Legacy{
		Room: m.room, OpenIDToken: m.openID(), DeviceID: m.device,
		DelayID: delayID, DelayTimeout: anHour.Milliseconds(),
	})
	if answer.Status != 200 {
		m.t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	return answer
}

// fate waits until the leave was sent or cancelled, as the parameter want says. If want
// is "restarted", fate waits until the service has restarted the leave.
func (m member) fate(want string, limit time.Duration) {
	m.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		f := m.scene.home.Fate(m.delayID)
		if f.Over == want || want == "restarted" && f.Over == "" && f.Restarts > 0 {
			return
		}
		if f.Over != "" || time.Now().After(deadline) {
			m.t.Fatalf("%s: %+v within %v, want %s\nservice log:\n%s\nSFU log:\n%s", m.delayID, f, limit, want,
				m.service.Log().Tail(30), m.sfu.Log().Tail(20))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stays checks that nobody sends or cancels the leave for the duration d.
func (m member) stays(how string, d time.Duration) {
	m.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if f := m.scene.home.Fate(m.delayID); f.Over != "" {
			m.t.Fatalf("%s: the leave of a member who is still there was sent (%+v)\nservice log:\n%s", how, f, m.service.Log().Tail(30))
		}
	}
}

// process starts a client in a separate process, which the test can kill. The client
// joins the SFU.
func (s *scene) process(name string, answer caller.Answer) *stack.Client {
	s.t.Helper()
	c := &stack.Client{Host: s.host, Program: programs.Join, Name: name}
	if _, err := c.Start(within(s.t, 20*time.Second), answer.URL, answer.JWT); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Kill)
	return c
}

// TestLeaveIsSent checks that the service sends the delegated leave soon after the
// client has left.
func TestLeaveIsSent(t *testing.T) {
	t.Parallel()
	s := newLeaveScene(t, nil)
	alice, answer := s.delegate("alice")
	p := s.join(answer)
	alice.fate("restarted", 10*time.Second)
	left := time.Now()
	p.Leave()
	alice.fate("sent", 5*time.Second)
	t.Logf("sent %v after the good-bye", time.Since(left).Round(time.Millisecond))
}

// TestKilledClientLeaves checks that the service sends the leave of a client that was
// killed. Such a client tells the SFU nothing. The SFU notices after about 19 s that
// the client is gone.
func TestKilledClientLeaves(t *testing.T) {
	t.Parallel()
	s := newLeaveScene(t, nil)
	alice, answer := s.delegate("alice")
	c := s.process("alice", answer)
	alice.fate("restarted", 10*time.Second)
	killed := time.Now()
	c.Kill()
	alice.fate("sent", 40*time.Second)
	t.Logf("sent %v after the kill", time.Since(killed).Round(time.Millisecond))
}

// TestSameIdentityJoinsAgain makes an identity join a second time, so the SFU ends the
// first session. The service must not send the leave before the second session has
// ended as well.
func TestSameIdentityJoinsAgain(t *testing.T) {
	t.Parallel()
	s := newLeaveScene(t, nil)
	alice, answer := s.delegate("alice")
	s.join(answer)
	alice.fate("restarted", 10*time.Second)
	second := s.join(answer)
	alice.stays("after another session took over", 5*time.Second)
	second.Leave()
	alice.fate("sent", 5*time.Second)
}

// TestSecondDelegationReplacesTheFirst checks that a new delegation of a participant
// replaces the old one.
func TestSecondDelegationReplacesTheFirst(t *testing.T) {
	t.Parallel()
	s := newLeaveScene(t, nil)
	first, answer := s.delegate("alice")
	p := s.join(answer)
	first.fate("restarted", 10*time.Second)
	second := first
	second.again("syd_alice_2")
	first.fate("cancelled", 5*time.Second)
	second.fate("restarted", 5*time.Second)
	p.Leave()
	second.fate("sent", 5*time.Second)
}

// TestSFURestarts checks the leaves of participants when the SFU ends and starts again.
// The SFU forgets its rooms. The service must create them again, because clients cannot
// create rooms. The service must not send the leave of a participant who had no time to
// come back.
func TestSFURestarts(t *testing.T) {
	for name, end := range map[string]func(*stack.SFU){
		"stopped": func(s *stack.SFU) { _ = s.Stop() }, // draining takes too long, so Stop kills the SFU
		"killed":  (*stack.SFU).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLeaveScene(t, nil)
			alice, answer := s.delegate("alice")
			stays := s.process("alice", answer)
			bob, theirs := s.delegate("bob")
			goes := s.process("bob", theirs)
			alice.fate("restarted", 10*time.Second)
			bob.fate("restarted", 10*time.Second)
			goes.Kill()
			end(s.sfu)
			if err := s.sfu.Start(within(t, 20*time.Second)); err != nil {
				t.Fatal(err)
			}
			back := time.Now()
			// Alice's client reconnects by itself. Bob's client is dead.
			bob.fate("sent", 45*time.Second)
			t.Logf("who did not come back left %v after the restart", time.Since(back).Round(time.Second))
			alice.stays("after the other has left", 20*time.Second)
			if err := stays.Stop(); err != nil {
				t.Errorf("Stop: got %v, want no error", err)
			}
			alice.fate("sent", 5*time.Second)
		})
	}
}

// TestServiceIsKilled kills the service while a participant is in the call. After its
// restart, the service must continue with the jobs in its file.
func TestServiceIsKilled(t *testing.T) {
	t.Parallel()
	s := newLeaveScene(t, map[string]string{"LIVEKIT_STORE": "file:" + filepath.Join(t.TempDir(), "leaves.db")})
	alice, answer := s.delegate("alice")
	p := s.join(answer)
	alice.fate("restarted", 10*time.Second)
	s.service.Kill()
	if err := s.service.Start(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	alice.stays("after the service was killed", 5*time.Second)
	p.Leave()
	alice.fate("sent", 10*time.Second)
}

// TestLeaveWithoutWebhooks checks a deployment without webhooks. The service must learn
// from its regular questions to the SFU that a participant is gone.
func TestLeaveWithoutWebhooks(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "1"}, key)
	alice, answer := s.delegate("alice")
	p := s.join(answer)
	alice.fate("restarted", 10*time.Second)
	alice.stays("without webhooks", 3*time.Second)
	p.Leave()
	alice.fate("sent", 10*time.Second)
	if log := s.service.Log().Tail(1000); strings.Contains(log, "route=/sfu_webhook") {
		t.Error("got a webhook, want none: this test shows nothing")
	}
}
