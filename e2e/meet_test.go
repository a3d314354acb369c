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

// A room and the LiveKit room of its call, from MSC4195's deployments.
const (
	room        = "!gIpOlaUSrXBmgtveWK:call.ems.host"
	livekitRoom = "O9fjXP35ffUz7WTQRfX6zrLDjkDv7VX2N1CVFzP01tQ"
)

// Users of a full-access server create the room by asking. Old and new clients
// of one call meet in it and hear each other, whichever endpoint they asked.
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

// publishes has p send data and a track, which every other participant in the
// room has to get from the SFU.
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
			t.Errorf("received %v, %v, want %v", data, err, want)
		}
		track, err := other.Hear(within(t, 10*time.Second))
		if want := (participant.Track{From: p.Identity(), SID: sid}); err != nil || track != want {
			t.Errorf("heard %v, %v, want %v", track, err, want)
		}
	}
}

// digest is MSC4195's hash of strings that JSON escapes nothing of.
func digest(parts ...string) string {
	canonical, _ := json.Marshal(parts)
	sum := sha256.Sum256(canonical)
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// tokenClaims are of an access token what tests look at.
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
