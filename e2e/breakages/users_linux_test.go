package breakages

import (
	"context"
	"net/http"
	"path/filepath"

	"matrixrtc-auth/e2e/account"
)

// user holds doctor's options for a user. The field token says whose access token
// doctor gets. The field room is the room in which doctor schedules an event. doctor
// gets the user id of the guest together with the guest's token, and alice's user id
// with any other token. With the zero value, doctor runs without --user.
type user struct{ token, room string }

// These are the usual values of the fields of a user. If the field token has any other
// value, doctor gets this value as the access token. Such a token belongs to nobody.
const (
	alice     = "alice"
	bob       = "bob"
	guest     = "guest"
	room      = "alice's"
	otherRoom = "bob's"
)

// The function as returns a change that makes doctor run with the options of this user.
func as(token, room string) change {
	return func(d *deployment) { d.user = user{token, room} }
}

// people holds the access tokens, ids and rooms of the users whom register created.
type people struct {
	tokens, ids, rooms map[string]string
}

// synapseURL is the URL at which the tests reach Synapse without a proxy.
const synapseURL = "http://127.0.0.1:8008"

// register creates alice and bob with a room each, and a guest.
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

// options returns doctor's options for a user. The first call with a user creates all
// users.
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
