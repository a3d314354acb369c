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

// livekit.yaml.example, as it is in the repository, starts the SFU. Flags
// replace use_external_ip and node_ip, because STUN servers are on the
// internet, and the ports, so that the test neither needs 7880 and the others
// free nor takes them from an SFU that is in use. All else is the file's.
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

// The test above has teeth: the SFU refuses faults that published examples
// have, and a key under another name than the webhook's.
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
				t.Errorf("%v, want a word about %q", err, c.says)
			}
		})
	}
}

// To change the key, the SFU learns the new one beside the old, then the
// service's key file gets it as its first line. Both sign for the same room,
// and tokens of the old key stay good.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	recent := stack.Key{ID: "recent", Secret: "the-recent-secret-has-a-colon:-and-32-characters"}
	s := newScene(t, nil, key, recent)
	before := s.user(s.home, "alice").getToken(room, "member")

	file := s.writeFile("keys.yaml", recent.ID+": "+recent.Secret+"\n"+key.ID+": "+key.Secret+"\n")
	s.service = s.startService("rotated", stack.Key{}, map[string]string{"LIVEKIT_KEY_FILE": file})
	after := s.user(s.home, "bob").getToken(room, "member")

	if got := [2]string{claims(t, before).Iss, claims(t, after).Iss}; got != [2]string{key.ID, recent.ID} {
		t.Errorf("signed with %v, want the first key of each", got)
	}
	alice, bob := s.join(before), s.join(after)
	publishes(t, bob, alice, bob)
}

// A service whose key the SFU does not know says so at once, to users of
// full-access servers: it cannot create their room.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	s.service = s.startService("stranger", stack.Key{ID: "stranger", Secret: key.Secret}, nil)
	answer := s.user(s.home, "alice").getToken(room, "member")
	if answer.Status != 500 || answer.Errcode != "M_UNKNOWN" || answer.JWT != "" {
		t.Errorf("answered %d %s, want 500 M_UNKNOWN", answer.Status, answer.Body)
	}
}

// The SFU has forgotten its rooms when it is back, also those that it confirmed a
// moment before. Whoever gets a token then is admitted with it.
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
