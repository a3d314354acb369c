package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"

	"matrixrtc-auth/e2e/participant"
)

// TestRestrictedUserJoinsOnlyWhatExists checks the tokens of users of another server.
// Such a user gets a token for any room, but can only join an existing room. The SFU
// creates no rooms for them (auto_create: false).
func TestRestrictedUserJoinsOnlyWhatExists(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	mallory := s.user(s.remote, "mallory").legacy("/sfu/get", room)
	eve := s.user(s.remote, "eve").getToken(room, "member")

	for _, answer := range []string{mallory.JWT, eve.JWT} {
		got := validate(t, s.sfu, answer)
		if got.status != 404 || !strings.Contains(got.body, "room does not exist") {
			t.Errorf("before the room exists the SFU answers %v, want 404", got)
		}
		_, err := participant.Join(within(t, 10*time.Second), s.sfu.URL(), answer)
		if err == nil {
			t.Fatal("join of a room that nobody created: got no error, want one")
		}
	}

	alice := s.join(s.user(s.home, "alice").getToken(room, "member"))
	// When the room exists, the same tokens admit their users. By default these users may
	// also publish, because everybody in a call must be able to publish.
	guests := []*participant.Participant{s.join(mallory), s.join(eve)}
	for _, guest := range guests {
		publishes(t, guest, alice, guests[0], guests[1])
	}
}

// TestWithoutThePublishRight checks users of a server whose users may not publish. Such
// a user joins and hears others, but the SFU drops what the user sends. After the
// operator gives the permission on the SFU, the next packet must arrive. This shows
// that nothing else was missing.
func TestWithoutThePublishRight(t *testing.T) {
	t.Parallel()
	s := newScene(t, map[string]string{"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS": "trusted.example.org"}, key)
	alice := s.join(s.user(s.home, "alice").getToken(room, "member"))
	answer := s.user(s.remote, "mallory").getToken(room, "member")
	if may := claims(t, answer).Video.CanPublish; may == nil || *may {
		t.Errorf("the claim canPublish is %v, want false and present, because LiveKit reads an absent one as true", may)
	}
	mallory := s.join(answer)
	if mallory.CanPublish() {
		t.Error("CanPublish of the SFU: got true, want false")
	}

	if err := mallory.Send("forbidden"); err != nil {
		t.Fatal(err)
	}
	if sid, err := mallory.PublishAudio(); err != participant.ErrNotAccepted {
		t.Errorf("PublishAudio: got %s, %v, want %v", sid, err, participant.ErrNotAccepted)
	}
	s.permitPublishing(mallory)
	if err := mallory.Send("permitted"); err != nil {
		t.Fatal(err)
	}
	got, err := alice.Receive(within(t, 10*time.Second))
	if want := (participant.Data{From: mallory.Identity(), Text: "permitted"}); err != nil || got != want {
		t.Errorf("received %v, %v, want %v first", got, err, want)
	}
	publishes(t, alice, mallory)
}

func (s *scene) permitPublishing(p *participant.Participant) {
	s.t.Helper()
	got := roomAPI(s.t, s.sfu, operator(s.t, key, p.Room()), "UpdateParticipant", map[string]any{
		"room": p.Room(), "identity": p.Identity(),
		"permission": map[string]bool{"can_publish": true, "can_publish_data": true, "can_subscribe": true},
	})
	if got.status != 200 {
		s.t.Fatalf("UpdateParticipant: %v", got)
	}
}

// TestTokensAdministerNothing checks that no token of the service allows a request to
// the Room API, in any room. The operator's token must allow the same requests. This
// shows that the SFU refuses the other requests because of their tokens.
func TestTokensAdministerNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	alice := s.user(s.home, "alice").getToken(room, "member")
	s.join(alice)
	bearers := map[string]string{
		"full access": alice.JWT,
		"legacy":      s.user(s.home, "carol").legacy("/sfu/get", room).JWT,
		"restricted":  s.user(s.remote, "mallory").getToken(room, "member").JWT,
	}
	identity := claims(t, alice).Sub
	for _, call := range []struct {
		method string
		body   map[string]any
	}{
		{"ListRooms", map[string]any{}},
		{"CreateRoom", map[string]any{"name": "another"}},
		{"CreateRoom", map[string]any{"name": livekitRoom}},
		{"UpdateRoomMetadata", map[string]any{"room": livekitRoom, "metadata": "m"}},
		{"ListParticipants", map[string]any{"room": livekitRoom}},
		{"GetParticipant", map[string]any{"room": livekitRoom, "identity": identity}},
		{"UpdateParticipant", map[string]any{"room": livekitRoom, "identity": identity, "metadata": "m"}},
		{"SendData", map[string]any{"room": livekitRoom, "data": "aGk=", "kind": "RELIABLE"}},
		{"RemoveParticipant", map[string]any{"room": livekitRoom, "identity": identity}},
		{"DeleteRoom", map[string]any{"room": livekitRoom}},
	} {
		t.Run(call.method, func(t *testing.T) {
			for who, token := range bearers {
				if got := roomAPI(t, s.sfu, token, call.method, call.body); got.status != 401 && got.status != 403 {
					t.Errorf("%s of a %s token: %v, want 401 or 403", call.method, who, got)
				}
			}
			if got := roomAPI(t, s.sfu, operator(t, key, livekitRoom), call.method, call.body); got.status != 200 {
				t.Errorf("%s of the operator: %v, want 200", call.method, got)
			}
		})
	}
}

// TestForgedTokens checks that the SFU accepts the service's token, and refuses a token
// that another secret signed.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, key)
	good := s.user(s.home, "alice").getToken(room, "member")
	if got := validate(t, s.sfu, good.JWT); got.status != 200 {
		t.Errorf("the service's own token: %v, want 200", got)
	}
	forged := key
	forged.Secret = "another-secret-of-more-than-32-characters"
	token := mint(t, forged, "alice", &auth.VideoGrant{RoomJoin: true, Room: livekitRoom})
	if got := validate(t, s.sfu, token); got.status != 401 {
		t.Errorf("a token of another secret: %v, want 401", got)
	}
}
