package sfutest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/encoding/protojson"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// create creates a room by a direct call of the handler, without a network.
func create(t *testing.T, s *sfutest.SFU, name sfu.Room) {
	t.Helper()
	req := httptest.NewRequest("POST", "/twirp/livekit.RoomService/CreateRoom",
		strings.NewReader(`{"name":"`+string(name)+`","empty_timeout":60,"departure_timeout":7}`))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+sign(t, key.ID, key.Secret.Reveal(), auth.VideoGrant{RoomCreate: true}))
	answer := httptest.NewRecorder()
	if s.ServeHTTP(answer, req); answer.Code != http.StatusOK {
		t.Fatalf("CreateRoom: got %d %s, want %v", answer.Code, answer.Body, http.StatusOK)
	}
}

func TestParticipants(t *testing.T) {
	s := start(t)
	ctx := signed(t, auth.VideoGrant{RoomAdmin: true, Room: "a"})
	who := &livekit.RoomParticipantIdentity{Room: "a", Identity: "alice"}
	wantAbsent := func() {
		t.Helper()
		_, err := client(s).GetParticipant(ctx, who)
		if twerr, ok := err.(twirp.Error); !ok || twerr.Code() != twirp.NotFound {
			t.Errorf("GetParticipant = %v, want not_found", err)
		}
		if all, err := client(s).ListParticipants(ctx, &livekit.ListParticipantsRequest{Room: "a"}); err != nil || len(all.Participants) != 0 {
			t.Errorf("ListParticipants = %v, %v, want none", all, err)
		}
	}
	wantAbsent()
	if s.Join("a", "alice") != nil || s.Leave("a", "alice", 0) != nil || s.Vanish("a", "alice") != "" {
		t.Error("Join, Leave or Vanish in a room that does not exist: got a participant, want none")
	}
	create(t, s.SFU, "a")
	wantAbsent()

	joined := s.Join("a", "alice")
	if joined.Event != "participant_joined" || joined.Room.Name != "a" || joined.Participant.Identity != "alice" {
		t.Errorf("Join: got %v, want participant_joined of alice in a", joined)
	}
	p, err := client(s).GetParticipant(ctx, who)
	if err != nil || p.Sid != joined.Participant.Sid || p.State != livekit.ParticipantInfo_ACTIVE {
		t.Errorf("GetParticipant: got %v, %v, want the session %s, active", p, err, joined.Participant.Sid)
	}
	left := s.Leave("a", "alice", livekit.DisconnectReason_CLIENT_INITIATED)
	if left.Event != "participant_left" || left.Participant.Sid != p.Sid ||
		left.Participant.DisconnectReason != livekit.DisconnectReason_CLIENT_INITIATED {
		t.Errorf("Leave: got %v, want participant_left of %s, by the client", left, p.Sid)
	}
	wantAbsent()
	if again := s.Join("a", "alice"); again.Participant.Sid == p.Sid || s.Vanish("a", "alice") != again.Participant.Sid {
		t.Errorf("Join once more: got %v, want another session than %s, which Vanish ends", again, p.Sid)
	}
	wantAbsent()
}

func TestParticipantsAreForAdministrators(t *testing.T) {
	s := start(t)
	for _, grant := range []auth.VideoGrant{{}, {RoomAdmin: true}, {RoomAdmin: true, Room: "b"}, {RoomJoin: true, Room: "a"}} {
		t.Run(fmt.Sprintf("%+v", grant), func(t *testing.T) {
			_, get := client(s).GetParticipant(signed(t, grant), &livekit.RoomParticipantIdentity{Room: "a", Identity: "alice"})
			_, list := client(s).ListParticipants(signed(t, grant), &livekit.ListParticipantsRequest{Room: "a"})
			for _, err := range []error{get, list} {
				if twerr, ok := err.(twirp.Error); !ok || twerr.Code() != twirp.Unauthenticated {
					t.Errorf("%+v: %v, want unauthenticated", grant, err)
				}
			}
		})
	}
}

func TestListRoomsByName(t *testing.T) {
	s := start(t)
	create(t, s.SFU, "a")
	create(t, s.SFU, "b")
	listed, err := client(s).ListRooms(signed(t, auth.VideoGrant{RoomList: true}), &livekit.ListRoomsRequest{Names: []string{"b", "c"}})
	if err != nil || len(listed.Rooms) != 1 || listed.Rooms[0].Name != "b" {
		t.Errorf("ListRooms = %v, %v, want b", listed, err)
	}
}

func TestDepartureTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sfutest.New(key)
		create(t, s, "a")
		wantRooms := func(want int) {
			t.Helper()
			if got := len(s.Rooms()); got != want {
				t.Errorf("%d rooms, want %d", got, want)
			}
		}
		s.Join("a", "alice")
		time.Sleep(time.Hour)
		wantRooms(1)
		s.Vanish("a", "alice")
		time.Sleep(7*time.Second - 1)
		wantRooms(1)
		time.Sleep(time.Nanosecond)
		wantRooms(0)
	})
}

// post is a webhook as the test's server received it.
type post struct {
	header http.Header
	body   string
	length int64
}

func TestSendWebhook(t *testing.T) {
	var got post
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = post{r.Header, string(body), r.ContentLength}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer service.Close()
	s := start(t)
	create(t, s.SFU, "a")
	event := s.Join("a", "alice")
	if status, err := s.SendWebhook(service.URL, event); status != http.StatusTeapot || err != nil {
		t.Fatalf("SendWebhook: got %d, %v, want the service's %d", status, err, http.StatusTeapot)
	}
	if got.header.Get("Content-Type") != "application/webhook+json" || got.length != int64(len(got.body)) {
		t.Errorf("got the request %+v, want application/webhook+json and its length", got)
	}
	v, err := auth.ParseAPIToken(got.header.Get("Authorization"))
	if err != nil {
		t.Fatal(err)
	}
	claims, grants, err := v.Verify(key.Secret.Reveal())
	if err != nil || v.APIKey() != key.ID || len(grants.Sha256) != 44 || claims.ExpiresAt.Sub(claims.NotBefore.Time) != 5*time.Minute {
		t.Errorf("the token: got %+v, %+v, %v, want one of %s with a digest, for 5 minutes", claims, grants, err, key.ID)
	}
	var parsed livekit.WebhookEvent
	if err := protojson.Unmarshal([]byte(got.body), &parsed); err != nil || parsed.Participant.Sid != event.Participant.Sid || parsed.CreatedAt == 0 {
		t.Errorf("the body: got %s, %v, want the session %s and a time", got.body, err, event.Participant.Sid)
	}
	service.Close()
	if _, err := s.SendWebhook(service.URL, event); err == nil {
		t.Error("a webhook reached nobody without an error: got no error, want one")
	}
}

// TestFlawsLeaveTheEventAlone checks that a Flaw changes only one webhook, and
// not the event from which it was made.
func TestFlawsLeaveTheEventAlone(t *testing.T) {
	s := sfutest.New(key)
	create(t, s, "a")
	event := s.Join("a", "alice")
	s.NewWebhook("http://service.example.org", event, sfutest.NoSession(), sfutest.NoRoom(), sfutest.NoParticipant())
	if event.Room == nil || event.Participant.GetSid() == "" {
		t.Errorf("NewWebhook changed the event: got %v, want its room and its session", event)
	}
	req := s.NewWebhook("http://service.example.org", event)
	if body, _ := io.ReadAll(req.Body); !strings.Contains(string(body), event.Participant.Sid) {
		t.Errorf("the body: got %s, want the session %s in it", body, event.Participant.Sid)
	}
}

func TestDownAndForgetful(t *testing.T) {
	s := start(t)
	create := signed(t, auth.VideoGrant{RoomCreate: true})
	if _, err := client(s).CreateRoom(create, &livekit.CreateRoomRequest{Name: "call"}); err != nil {
		t.Fatal(err)
	}
	s.Join("call", "alice")
	address := s.URL()
	s.Down()
	if _, err := client(s).CreateRoom(create, &livekit.CreateRoomRequest{Name: "other"}); err == nil {
		t.Error("it answers while it is down: got no error, want one")
	}
	s.Up()
	if got := s.URL(); got != address {
		t.Errorf("the address after Up: got %s, want %s", got, address)
	}
	if _, err := client(s).CreateRoom(create, &livekit.CreateRoomRequest{Name: "other"}); err != nil {
		t.Errorf("it does not answer again: got %v, want no error", err)
	}
	if s.Vanish("call", "alice") == "" || len(s.Rooms()) != 2 {
		t.Errorf("after Up: got the rooms %v, want two, and alice in one", s.Rooms())
	}
	s.Restart()
	if len(s.Rooms()) != 0 || s.Join("call", "alice") != nil {
		t.Errorf("after Restart: got the rooms %v, want none", s.Rooms())
	}
}
