package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/participant"
)

// room is the id of a Matrix room. livekitRoom is the name of the LiveKit room for its
// call. Both are from a deployment that uses MSC4195.
const (
	room        = "!gIpOlaUSrXBmgtveWK:call.ems.host"
	livekitRoom = "O9fjXP35ffUz7WTQRfX6zrLDjkDv7VX2N1CVFzP01tQ"
)

// TestOldAndNewClientsMeet checks that the service creates the room when a user of a
// full-access server asks for a token. Clients that use different endpoints must be in
// the same LiveKit room, and must hear each other.
func TestOldAndNewClientsMeet(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	alice, bob, carol := s.user(s.home, "alice"), s.user(s.home, "bob"), s.user(s.home, "carol")

	old := s.join(alice.legacy("/sfu/get", room))
	wants(t, old, alice.id+":DEVICE")
	bare := s.join(carol.legacy("/", room))
	wants(t, bare, carol.id+":DEVICE")
	answer := bob.getToken(room, "member")
	recent := s.join(answer)
	wants(t, recent, digest(bob.id, "DEVICE", "member"))

	for _, p := range []*participant.Participant{old, bare, recent} {
		publishes(t, p, old, bare, recent)
	}
	if got := claims(t, answer).Sub; got != recent.Identity() {
		t.Errorf("the token is for %q, want %q, which the SFU knows", got, recent.Identity())
	}
}

func wants(t *testing.T, p *participant.Participant, identity string) {
	t.Helper()
	if p.Room() != livekitRoom || p.Identity() != identity {
		t.Errorf("joined %q as %q, want %q as %q", p.Room(), p.Identity(), livekitRoom, identity)
	}
}

// publishes makes p send data and a track. All other participants in room must receive
// the data and the track.
func publishes(t *testing.T, p *participant.Participant, room ...*participant.Participant) {
	t.Helper()
	if err := p.Send("hello"); err != nil {
		t.Fatal(err)
	}
	sid, err := p.PublishAudio()
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range room {
		if other == p {
			continue
		}
		data, err := other.Receive(within(t, 10*time.Second))
		if want := (participant.Data{From: p.Identity(), Text: "hello"}); err != nil || data != want {
			t.Errorf("the packet that a participant received: got %v, %v, want %v", data, err, want)
		}
		track, err := other.Hear(within(t, 10*time.Second))
		if want := (participant.Track{From: p.Identity(), SID: sid}); err != nil || track != want {
			t.Errorf("the track that a participant received: got %v, %v, want %v", track, err, want)
		}
	}
}

// digest returns the hash that MSC4195 defines for these texts. The texts must have no
// character that JSON escapes.
func digest(parts ...string) string {
	canonical, _ := json.Marshal(parts)
	sum := sha256.Sum256(canonical)
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// tokenClaims are those claims of an access token that the tests check.
type tokenClaims struct {
	Iss, Sub string
	Video    struct {
		Room       string
		CanPublish *bool
	}
}

func claims(t *testing.T, answer caller.Answer) (c tokenClaims) {
	t.Helper()
	payload, err := caller.Claims(answer.JWT)
	if err != nil {
		t.Fatalf("%d %s: got %v, want a token's claims", answer.Status, answer.Body, err)
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c
}
