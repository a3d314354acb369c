package matrixtest

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// account returns an Account whose access token is token.
func (c *Contract) account(token string) *matrix.Account {
	return &matrix.Account{Server: c.API.Server, APIs: c.API.APIs, Token: func() secret.Text { return secret.New(token) }}
}

// testMembers tests that an ordinary account can list the members of the rooms
// that it is in. It also tests that the account cannot list the members of any
// other room.
func (c *Contract) testMembers(t *testing.T) {
	var joined []string
	local := c.account(c.LocalToken)
	err := local.EachJoined(t.Context(), c.Room, func(user string) { joined = append(joined, user) })
	if err != nil || local.Self() != c.Local {
		t.Errorf("EachJoined with the token of %s: got the user %s and the error %v, want the token's user and no error", c.Local, local.Self(), err)
	}
	for user, want := range map[matrix.UserID]bool{c.Local: true, c.Remote: true, c.Left: false, c.Invited: false, c.Banned: false} {
		if got := slices.Contains(joined, user.String()); got != want {
			t.Errorf("%s is joined: got %v, want %v; the list is %q", user, got, want, joined)
		}
	}
	for _, tt := range []struct {
		name, token string
		room        matrix.RoomID
	}{
		{"nobody knows the room", c.LocalToken, c.UnknownRoom},
		{"it has left", c.LeftToken, c.Room},
		{"it is invited", c.InvitedToken, c.Room},
		{"it was banned", c.BannedToken, c.Room},
		{"everybody may read the room", c.InvitedToken, c.OpenRoom},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := c.account(tt.token).EachJoined(t.Context(), tt.room, func(string) {})
			if !errors.Is(err, matrix.ErrNotInRoom) {
				t.Errorf("EachJoined: got %v, want ErrNotInRoom", err)
			}
		})
	}
	if err := local.EachJoined(t.Context(), c.OpenRoom, func(string) {}); err != nil {
		t.Errorf("in a room that the account is in and everybody may read: got %v, want no error", err)
	}
}

// testMemberRefusals sends requests for a room's members that the homeserver
// must refuse. It sends them without the help of an Account.
func (c *Contract) testMemberRefusals(t *testing.T) {
	path := func(room matrix.RoomID) string {
		return joinedMembersPath + url.PathEscape(room.String()) + "/joined_members"
	}
	for _, tt := range []struct {
		name, path, token string
		status            int
		errcode           string
	}{
		{"no token", path(c.Room), "", 401, "M_MISSING_TOKEN"},
		{"an unknown token", path(c.Room), "nobody-has-this-one", 401, "M_UNKNOWN_TOKEN"},
		{"who has left", path(c.Room), c.LeftToken, 403, "M_FORBIDDEN"},
		{"who is invited", path(c.Room), c.InvitedToken, 403, "M_FORBIDDEN"},
		{"who was banned", path(c.Room), c.BannedToken, 403, "M_FORBIDDEN"},
		{"an unknown room", path(c.UnknownRoom), c.LocalToken, 403, "M_FORBIDDEN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.wantError(t, http.MethodGet, tt.path, tt.token, "", tt.status, tt.errcode)
		})
	}
	// If everybody may read a room, the homeserver shows the room's members to
	// every user. So an Account checks that its own user is in the list.
	if status, _, answer := c.send(t, http.MethodGet, path(c.OpenRoom), c.InvitedToken, ""); status != http.StatusOK {
		t.Errorf("a room that everybody may read: status %d, body %s, want 200", status, answer)
	}
}
