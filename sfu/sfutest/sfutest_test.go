package sfutest_test

import (
	"context"
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

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

var key = sfu.Key{ID: "devkey", Secret: secret.New("a-secret-of-at-least-thirty-two-bytes")}

func start(t *testing.T) *sfutest.Server {
	t.Helper()
	s := sfutest.NewServer(key)
	t.Cleanup(s.Close)
	return s
}

func sign(t *testing.T, id, apiSecret string, grant auth.VideoGrant) string {
	t.Helper()
	token, err := auth.NewAccessToken(id, apiSecret).SetIdentity("@a:b:C").SetVideoGrant(&grant).ToJWT()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func bearer(t *testing.T, token string) context.Context {
	t.Helper()
	ctx, err := twirp.WithHTTPRequestHeaders(t.Context(), http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func signed(t *testing.T, grant auth.VideoGrant) context.Context {
	t.Helper()
	return bearer(t, sign(t, key.ID, key.Secret.Reveal(), grant))
}

func client(s *sfutest.Server) livekit.RoomService {
	return livekit.NewRoomServiceProtobufClient(s.APIURL().String(), http.DefaultClient)
}

func TestRooms(t *testing.T) {
	s := start(t)
	create := signed(t, auth.VideoGrant{RoomCreate: true})
	for _, req := range []*livekit.CreateRoomRequest{
		{Name: "b", EmptyTimeout: 60, DepartureTimeout: 7, MaxParticipants: 3},
		{Name: "a"},
		{Name: "b", EmptyTimeout: 1},
	} {
		if _, err := client(s).CreateRoom(create, req); err != nil {
			t.Fatal(err)
		}
	}
	rooms := s.Rooms()
	if len(rooms) != 2 || rooms[0].Name != "a" || rooms[1].Name != "b" {
		t.Fatalf("Rooms = %+v, want a and b", rooms)
	}
	if a := rooms[0]; a.EmptyTimeout != 5*time.Minute || a.DepartureTimeout != 20*time.Second {
		t.Errorf("a room without options: got %+v, want it to close after 5m when empty and 20s when left", a)
	}
	if b := rooms[1]; b.EmptyTimeout != time.Minute || b.DepartureTimeout != 7*time.Second || b.MaxParticipants != 3 {
		t.Errorf("b = %+v, want what the first call asked for", b)
	}
	listed, err := client(s).ListRooms(signed(t, auth.VideoGrant{RoomList: true}), &livekit.ListRoomsRequest{})
	if err != nil || len(listed.Rooms) != 2 || listed.Rooms[1].MaxParticipants != 3 {
		t.Errorf("ListRooms: got %v, %v, want two rooms, the second for 3 participants", listed, err)
	}
	if s.Calls("CreateRoom") != 3 || s.Calls("ListRooms") != 1 {
		t.Errorf("calls = %d, %d, want 3, 1", s.Calls("CreateRoom"), s.Calls("ListRooms"))
	}
	s.CloseRoom("a")
	if len(s.Rooms()) != 1 {
		t.Errorf("after CloseRoom: got the rooms %v, want one", s.Rooms())
	}
}

func TestChecksTokens(t *testing.T) {
	s := start(t)
	yes := auth.VideoGrant{RoomCreate: true}
	for name, ctx := range map[string]context.Context{
		"none":         t.Context(),
		"no token":     bearer(t, "x"),
		"other key":    bearer(t, sign(t, "other", key.Secret.Reveal(), yes)),
		"other secret": bearer(t, sign(t, key.ID, "another", yes)),
		"no grant":     signed(t, auth.VideoGrant{RoomJoin: true, Room: "a"}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(s).CreateRoom(ctx, &livekit.CreateRoomRequest{Name: "a"})
			if twerr, ok := err.(twirp.Error); !ok || twerr.Code() != twirp.Unauthenticated {
				t.Errorf("%s: %v, want unauthenticated", name, err)
			}
			if _, err := client(s).ListRooms(ctx, &livekit.ListRoomsRequest{}); err == nil {
				t.Errorf("%s: the rooms are listed: got no error, want one", name)
			}
		})
	}
	if len(s.Rooms()) != 0 {
		t.Errorf("Rooms = %v, want none", s.Rooms())
	}
}

func TestUnknownMethod(t *testing.T) {
	s := start(t)
	_, err := client(s).UpdateRoomMetadata(signed(t, auth.VideoGrant{RoomAdmin: true, Room: "a"}), &livekit.UpdateRoomMetadataRequest{Room: "a"})
	if twerr, ok := err.(twirp.Error); !ok || twerr.Code() != twirp.Unimplemented {
		t.Errorf("UpdateRoomMetadata = %v, want unimplemented", err)
	}
}

func TestDeleteRoom(t *testing.T) {
	s := start(t)
	create, remove := signed(t, auth.VideoGrant{RoomCreate: true}), &livekit.DeleteRoomRequest{Room: "a"}
	if _, err := client(s).CreateRoom(create, &livekit.CreateRoomRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client(s).DeleteRoom(signed(t, auth.VideoGrant{RoomList: true}), remove); err == nil || len(s.Rooms()) != 1 {
		t.Errorf("DeleteRoom without the grant: got %v and the rooms %v, want an error and one room", err, s.Rooms())
	}
	if _, err := client(s).DeleteRoom(create, remove); err != nil || len(s.Rooms()) != 0 {
		t.Errorf("DeleteRoom: got %v and the rooms %v, want no error and no room", err, s.Rooms())
	}
}

func TestValidate(t *testing.T) {
	s := start(t)
	if _, err := client(s).CreateRoom(signed(t, auth.VideoGrant{RoomCreate: true}), &livekit.CreateRoomRequest{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		grant auth.VideoGrant
		want  int
	}{
		{auth.VideoGrant{RoomJoin: true, Room: "a"}, 200},
		{auth.VideoGrant{RoomJoin: true, Room: "b"}, 404},
		{auth.VideoGrant{RoomCreate: true, RoomJoin: true, Room: "b"}, 200},
		{auth.VideoGrant{Room: "a"}, 401},
	} {
		t.Run(fmt.Sprint(c.grant), func(t *testing.T) {
			token := sign(t, key.ID, key.Secret.Reveal(), c.grant)
			if got, body := get(t, s, "/rtc/validate?access_token="+token); got != c.want {
				t.Errorf("%+v: %d %s, want %d", c.grant, got, body, c.want)
			}
		})
	}
	if got, body := get(t, s, "/rtc/validate"); got != 401 {
		t.Errorf("without a token: got %d %s, want 401", got, body)
	}
	if got, body := get(t, s, "/"); got != 200 || body != "OK" {
		t.Errorf("GET /: got %d %q, want 200 OK", got, body)
	}
}

func get(t *testing.T, s *sfutest.Server, path string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(s.APIURL().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestScript(t *testing.T) {
	s := start(t)
	create := signed(t, auth.VideoGrant{RoomCreate: true})
	call := func() error {
		_, err := client(s).CreateRoom(create, &livekit.CreateRoomRequest{Name: "a"})
		return err
	}
	s.FailAlways(sfutest.Status(502))
	s.FailNext(sfutest.TwirpError("resource_exhausted", "full"), nil, sfutest.Drop())
	for i, want := range []string{"full", "", "EOF", "502", "502"} {
		if err := call(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("call %d: %v, want %q", i, err, want)
		}
	}
	s.FailAlways(nil)
	if err := call(); err != nil {
		t.Errorf("call: got %v, want no error", err)
	}
}

func TestURLs(t *testing.T) {
	s := start(t)
	if want := "ws://" + s.APIURL().Host; s.URL() != want || s.APIURL().Scheme != "http" {
		t.Errorf("URL, APIURL: got %s, %s, want %s and http", s.URL(), s.APIURL(), want)
	}
}

// Close must not wait for calls that never end.
func TestCloseWhileHanging(t *testing.T) {
	s := sfutest.NewServer(key)
	arrived, done := make(chan struct{}), make(chan error)
	s.FailNext(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		close(arrived)
		sfutest.Hang()(w, r, next)
	})
	go func() {
		_, err := client(s).CreateRoom(context.Background(), &livekit.CreateRoomRequest{Name: "a"})
		done <- err
	}()
	<-arrived
	s.Close()
	if err := <-done; err == nil {
		t.Error("a call that hangs succeeded: got no error, want one")
	}
}

func TestEmptyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sfutest.New(key)
		req := httptest.NewRequest("POST", "/twirp/livekit.RoomService/CreateRoom",
			strings.NewReader(`{"name":"a","empty_timeout":60}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+sign(t, key.ID, key.Secret.Reveal(), auth.VideoGrant{RoomCreate: true}))
		s.ServeHTTP(httptest.NewRecorder(), req)
		time.Sleep(time.Minute - time.Second)
		if len(s.Rooms()) != 1 {
			t.Errorf("Rooms = %v, want one still", s.Rooms())
		}
		time.Sleep(time.Second)
		if len(s.Rooms()) != 0 {
			t.Errorf("Rooms = %v, want none any more", s.Rooms())
		}
	})
}
