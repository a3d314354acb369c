package handler

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

const (
	hsToken   = "the-hs-token-of-the-registration-file"
	ourSFU    = "wss://sfu.example.org"
	aRoom     = "!room:example.org"
	clientAPI = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit"
	fedAPI    = "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit"
)

// members is a fake homeserver that says who is joined. The keys of joined have
// the form "ROOM USER" or "ROOM SERVER". If err is set, every question gets err
// as its answer.
type members struct {
	joined map[string]bool
	err    error
	asked  []string
}

func (m *members) IsJoined(_ context.Context, room matrix.RoomID, user matrix.UserID) (bool, error) {
	return m.ask(room.String() + " " + user.String())
}

func (m *members) IsServerJoined(_ context.Context, room matrix.RoomID, server matrix.ServerName) (bool, error) {
	return m.ask(room.String() + " " + server.String())
}

func (m *members) ask(question string) (bool, error) {
	m.asked = append(m.asked, question)
	return m.joined[question], m.err
}

// remote is a fake of another homeserver, which gives tokens for its own SFU.
type remote struct {
	answer string
	err    error
	server matrix.ServerName // the server that was asked last
	body   string
}

func (r *remote) RemoteToken(_ context.Context, server matrix.ServerName, request json.RawMessage) (json.RawMessage, error) {
	r.server, r.body = server, string(request)
	return json.RawMessage(r.answer), r.err
}

// proxied is a rig (a Handler with fakes) whose service is registered at
// example.org. Alice and a user of remote.example are joined to aRoom.
type proxied struct {
	*delegating
	members *members
	remote  *remote
	events  []MemberEvent
	missed  atomic.Int32 // how many transactions were not read to their end
}

func newProxied(t testing.TB) *proxied {
	p := &proxied{delegating: newDelegating(t), members: &members{joined: map[string]bool{
		aRoom + " " + alice: true, aRoom + " " + mallory: true, aRoom + " " + stranger: true,
	}}, remote: &remote{answer: `{"jwt":"theirs"}`}}
	p.Membership, p.Remote = p.members, p.remote
	p.AppService = &AppService{
		HSToken: secret.New(hsToken), Server: matrixtest.ServerName(t, homeserver), IsSFU: OneOf(ourSFU, "wss://old.example.org"),
		Members: func(e MemberEvent) { p.events = append(p.events, e) },
		Missed:  func() { p.missed.Add(1) },
	}
	return p
}

// client sends a request of user. The request looks as if the homeserver had
// forwarded it.
func (p *proxied) client(path, user, body string) *httptest.ResponseRecorder {
	return p.serve("POST", clientAPI+path, body, "Authorization", "Bearer "+hsToken, "X-Matrix-User-Identifier", user)
}

func (p *proxied) federation(origin, body string) *httptest.ResponseRecorder {
	return p.serve("POST", fedAPI+"/get_token", body, "Authorization", "Bearer "+hsToken, "X-Matrix-Origin", origin)
}

const (
	newerBody = `{"url":"wss://sfu.example.org","room_id":"!room:example.org","slot_id":"m.call#ROOM","member_id":"m1"}`
	olderBody = `{"url":"wss://sfu.example.org","room_id":"!room:example.org","slot_id":"m.call#ROOM","member":{"id":"m1","claimed_device_id":"DEVICE"},"delay_timeout":8000}`
)

func federated(user string) string { return with(newerBody, `"user_id":"`+user+`"`) }

func identityOf(t *testing.T, older bool) sfu.Identity {
	t.Helper()
	user, err1 := matrix.ParseUserID(alice)
	member, err2 := matrix.ParseMemberID("m1")
	device, err3 := matrix.ParseDeviceID("DEVICE")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if older {
		return token.MemberIdentity(user, device, member)
	}
	return token.ProxiedIdentity(user, member)
}

func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), body) {
		t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, status, body)
	}
}
