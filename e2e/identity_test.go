package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/livekit/protocol/auth"
)

// maxIdentity is the length in bytes of the longest identity that the SFU
// accepts.
const maxIdentity = 256

// TestLongestIdentities checks that the SFU accepts the longest identities that the
// service gives, in several alphabets. For longer identities the service must give no
// token.
func TestLongestIdentities(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	for name, letter := range map[string]string{"ASCII": "a", "umlaut": "ä", "emoji": "🙂"} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			u := s.user(s.home, "")
			// A user id has at most 255 bytes. The device id then makes the identity
			// exactly as long as allowed.
			letters := (250 - len(u.id)) / len(letter)
			u.id = s.home.UserID(strings.Repeat(letter, letters))
			u.device = strings.Repeat("D", maxIdentity-len(u.id)-1)
			if p := s.join(u.legacy("/sfu/get", room)); p.Identity() != u.id+":"+u.device {
				t.Errorf("join of user %q, device %q: got the identity %q, want %[1]s:%[2]s", u.id, u.device, p.Identity())
			}
			u.device += "D"
			if answer := u.legacy("/sfu/get", room); answer.Status != 400 || answer.Errcode != "M_BAD_JSON" {
				t.Errorf("an identity one byte too long: got %d %s, want 400 M_BAD_JSON", answer.Status, answer.Body)
			}
			// /get_token hashes the identity, so the length of its parts does not
			// matter.
			u.device = strings.Repeat("D", 255)
			s.join(u.getToken(room, strings.Repeat("m", 255)))
		})
	}
}

// TestIdentityLimit checks that the SFU refuses identities of more than maxIdentity
// bytes.
func TestIdentityLimit(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	s.join(s.user(s.home, "alice").getToken(room, "member"))
	for identity, status := range map[string]int{
		strings.Repeat("a", maxIdentity):     200,
		strings.Repeat("a", maxIdentity+1):   400,
		strings.Repeat("ä", maxIdentity/2):   200,
		strings.Repeat("ä", maxIdentity/2+1): 400,
	} {
		t.Run(fmt.Sprintf("%d bytes of %.2s", len(identity), identity), func(t *testing.T) {
			token := mint(t, key, identity, &auth.VideoGrant{RoomJoin: true, Room: livekitRoom})
			if got := validate(t, s.sfu, token); got.status != status {
				t.Errorf("%d bytes of %.2s: %v, want %d", len(identity), identity, got, status)
			}
		})
	}
}

// This method returns a copy of the scene for a subtest. The copy uses the same
// processes.
func (s *scene) in(t *testing.T) *scene {
	sub := *s
	sub.t = t
	return &sub
}
