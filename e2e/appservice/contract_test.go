package appservice

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// TestSynapseKeepsTheContract checks that Synapse gives the same answers as the fake
// homeserver.
func TestSynapseKeepsTheContract(t *testing.T) {
	t.Parallel() // the test waits most of the time
	w := newWorld(t)
	ours, theirs := matrixtest.NewApplication(), matrixtest.NewApplication()
	t.Cleanup(ours.Close)
	t.Cleanup(theirs.Close)
	first := newHomeserver(t, w, "synapse-1", ours.URL, true)
	second := newHomeserver(t, w, "synapse-2", theirs.URL, false)
	start(t, "synapse-1", first)
	start(t, "synapse-2", second)
	alice, bob := first.register(t, "alice"), second.register(t, "bob")
	left, invited, banned := first.register(t, "left"), first.register(t, "invited"), first.register(t, "banned")
	room := callRoom(t, alice, left, banned, invited, bob)
	ctx := within(t, time.Minute)
	must(t, bob.Join(ctx, room, first.name.String()))
	for _, member := range []*account.Account{left, banned} {
		must(t, member.Join(ctx, room, first.name.String()))
	}
	path := "/_matrix/client/v3/rooms/" + url.PathEscape(room)
	must(t, left.Call(ctx, http.MethodPost, path+"/leave", struct{}{}, nil))
	must(t, alice.Call(ctx, http.MethodPost, path+"/ban", map[string]string{"user_id": banned.UserID}, nil))

	open, err := alice.CreateCallRoom(ctx, false)
	must(t, err)
	must(t, alice.Call(ctx, http.MethodPut, "/_matrix/client/v3/rooms/"+url.PathEscape(open)+"/state/m.room.history_visibility/",
		map[string]string{"history_visibility": "world_readable"}, nil))

	elsewhere, err := matrix.ParseServerName("127.0.0.1:1")
	must(t, err)
	(&matrixtest.Contract{
		API: first.api(t), BaseURL: first.URL(), Client: http.DefaultClient,
		Room: roomID(t, room), UnknownRoom: roomID(t, "!nobody-has-this:"+first.name.String()),
		Local: userID(t, alice), Remote: userID(t, bob), Left: userID(t, left),
		Invited: userID(t, invited), Banned: userID(t, banned),
		OpenRoom:   roomID(t, open),
		LocalToken: alice.AccessToken, LeftToken: left.AccessToken, InvitedToken: invited.AccessToken, BannedToken: banned.AccessToken,
		Elsewhere:   elsewhere,
		Application: ours, ID: first.registration.ID, HSToken: first.registration.HSToken.Reveal(),
		RemoteApplication: theirs, AnswerTime: 30 * time.Second,
	}).Run(t)
}

// callRoom makes the owner create a Matrix room for a call, and invite the other users.
func callRoom(t *testing.T, owner *account.Account, others ...*account.Account) string {
	t.Helper()
	ctx := within(t, time.Minute)
	room, err := owner.CreateCallRoom(ctx, false)
	must(t, err)
	for _, other := range others {
		must(t, owner.Invite(ctx, room, other.UserID))
	}
	return room
}

func roomID(t *testing.T, id string) matrix.RoomID {
	t.Helper()
	room, err := matrix.ParseRoomID(id)
	must(t, err)
	return room
}

func userID(t *testing.T, a *account.Account) matrix.UserID {
	t.Helper()
	user, err := matrix.ParseUserID(a.UserID)
	must(t, err)
	return user
}
