package breakages

import (
	"context"
	"net/http"
	"path/filepath"

	"matrixrtc-auth/e2e/account"
)

// user is whom doctor asks as: whose access token it gets for alice's, and in
// which room it schedules an event. The zero user is nobody.
type user struct{ token, room string }

// Whose access token it is, and who is in the room. Another token is one that
// nobody has.
const (
	alice     = "alice"
	bob       = "bob"
	guest     = "guest"
	room      = "alice's"
	otherRoom = "bob's"
)

// as has doctor ask as a user.
func as(token, room string) change {
	return func(d *deployment) { d.user = user{token, room} }
}

// people are the users of the homeserver's database, once it is asked for them.
type people struct {
	tokens, ids, rooms map[string]string
}

// synapseURL is where the test itself asks Synapse, past every proxy.
const synapseURL = "http://127.0.0.1:8008"

// register makes the users and their rooms.
func register(ctx context.Context) (*people, error) {
	p := &people{tokens: map[string]string{}, ids: map[string]string{}, rooms: map[string]string{}}
	for name, own := range map[string]string{alice: room, bob: otherRoom} {
		a, err := account.Register(ctx, synapseURL, name)
		if err != nil {
			return nil, err
		}
		p.tokens[name], p.ids[name] = a.AccessToken, a.UserID
		if p.rooms[own], err = a.CreateCallRoom(ctx, false); err != nil {
			return nil, err
		}
	}
	a := &account.Account{BaseURL: synapseURL}
	err := a.Call(ctx, http.MethodPost, "/_matrix/client/v3/register?kind=guest", map[string]any{}, a)
	p.tokens[guest], p.ids[guest] = a.AccessToken, a.UserID
	return p, err
}

// options are those of doctor for a user. The first one has the users made.
func (w *world) options(ctx context.Context, u user) (args []string, err error) {
	if u == (user{}) {
		return nil, nil
	}
	if w.people == nil {
		if w.people, err = register(ctx); err != nil {
			return nil, err
		}
	}
	token, whose := w.people.tokens[u.token], w.people.ids[alice]
	if u.token == guest {
		whose = w.people.ids[guest]
	}
	if token == "" {
		token = u.token
	}
	if _, err := w.host.WriteFile("token", []byte(token+"\n")); err != nil {
		return nil, err
	}
	return []string{"--user", whose, "--token-file", filepath.Join(w.host.Dir, "token"), "--room", w.people.rooms[u.room]}, nil
}
