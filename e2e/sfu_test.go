package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/e2e/stack"
)

// TestExampleConfigurationStarts checks that the SFU starts with the unchanged
// livekit.yaml.example. Flags replace use_external_ip and node_ip, because STUN servers
// are on the internet. Flags also replace the ports, so that another SFU can run on
// this machine. All other settings are from the file.
func TestExampleConfigurationStarts(t *testing.T) {
	t.Parallel()
	sfu := &stack.SFU{
		Host: newHost(t), Program: programs.SFU,
		Config: example, Keys: []stack.Key{key}, Unchanged: true,
	}
	startPart(t, "SFU", sfu)
	if got := roomAPI(t, sfu, operator(t, key, ""), "ListRooms", struct{}{}); got.status != 200 {
		t.Errorf("with the key of LIVEKIT_KEYS: %v, want 200", got)
	}
	guest := mint(t, key, "guest", &auth.VideoGrant{RoomJoin: true, Room: "missing"})
	if got := validate(t, sfu, guest); got.status != 404 {
		t.Errorf("joining a missing room: %v, want 404 because of auto_create: false", got)
	}
}

// TestFaultyConfigurationDoesNotStart checks that the SFU refuses a faulty
// livekit.yaml. The faults are mistakes of published examples, and a webhook key that
// the SFU does not have. If the SFU accepted them, TestExampleConfigurationStarts would
// prove nothing.
func TestFaultyConfigurationDoesNotStart(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	other := stack.Key{ID: "other", Secret: key.Secret}
	for name, c := range map[string]struct {
		content []byte
		key     stack.Key
		says    string
	}{
		"unindented":  {bytes.ReplaceAll(content, []byte("\n  level:"), []byte("\nlevel:")), key, "could not parse config"},
		"unknown key": {append(content, "room_auto_create: false\n"...), key, "could not parse config"},
		"other key":   {content, other, "api_key is required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "livekit.yaml")
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			sfu := &stack.SFU{
				Host: newHost(t), Program: programs.SFU,
				Config: path, Keys: []stack.Key{c.key}, Unchanged: true,
			}
			err := sfu.Start(within(t, 20*time.Second))
			if err == nil {
				sfu.Stop()
				t.Fatal("start of the SFU: got no error, want one")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the SFU's error is %v, want one that contains %q", err, c.says)
			}
		})
	}
}

// TestKeyRotation changes the API key without an interruption. The SFU gets the new key
// beside the old one. Then the new key becomes the first line of the service's key
// file. Tokens of both keys must admit their users to the same room.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	recent := stack.Key{ID: "recent", Secret: "the-recent-secret-has-a-colon:-and-32-characters"}
	s := newScene(t, nil, key, recent)
	before := s.user(s.home, "alice").getToken(room, "member")

	file := s.writeFile("keys.yaml", recent.ID+": "+recent.Secret+"\n"+key.ID+": "+key.Secret+"\n")
	s.service = s.startService("rotated", stack.Key{}, map[string]string{"LIVEKIT_KEY_FILE": file})
	after := s.user(s.home, "bob").getToken(room, "member")

	if got := [2]string{claims(t, before).Iss, claims(t, after).Iss}; got != [2]string{key.ID, recent.ID} {
		t.Errorf("the tokens are signed with the keys %v, want the first key of each file", got)
	}
	alice, bob := s.join(before), s.join(after)
	publishes(t, bob, alice, bob)
}

// TestUnknownKey checks a service whose API key the SFU does not know. A user for whom
// the service should create a room must get an error immediately, because the SFU
// refuses to create it.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	s.service = s.startService("stranger", stack.Key{ID: "stranger", Secret: key.Secret}, nil)
	answer := s.user(s.home, "alice").getToken(room, "member")
	if answer.Status != 500 || answer.Errcode != "M_UNKNOWN" || answer.JWT != "" {
		t.Errorf("answered %d %s, want 500 M_UNKNOWN", answer.Status, answer.Body)
	}
}

// TestTokenAfterRestart checks tokens after a restart of the SFU. The SFU has forgotten
// its rooms, even a room that existed a moment before. A token that the service gives
// afterwards must admit its user.
func TestTokenAfterRestart(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	alice := s.user(s.home, "alice")
	if answer := alice.legacy("/sfu/get", room); answer.Status != 200 {
		t.Fatalf("/sfu/get: got %d %s, want 200", answer.Status, answer.Body)
	}
	s.sfu.Kill()
	if err := s.sfu.Start(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	answer := alice.legacy("/sfu/get", room)
	if got := validate(t, s.sfu, answer.JWT); answer.Status != 200 || got.status != 200 {
		t.Errorf("a token after the restart: %d, and the SFU says %v, want 200 and 200", answer.Status, got)
	}
}
