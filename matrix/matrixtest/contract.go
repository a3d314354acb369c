package matrixtest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
)

// Contract is a homeserver with a registered application service, and with
// users in one room. [Contract.Run] tests all behaviour of a homeserver on
// which this service relies. The fake homeserver and a real one must both pass,
// so the fake behaves like a real one.
type Contract struct {
	API     *matrix.AppService
	BaseURL string       // the URL of the Client-Server API
	Client  *http.Client // a client that can connect to BaseURL

	// Application is the registered application service. The homeserver
	// forwards requests and pushes events to Application. Its registration
	// contains ID and HSToken.
	Application *Application
	ID, HSToken string
	// RemoteApplication is the application service that is registered at the
	// homeserver of the user Remote.
	RemoteApplication *Application
	// AnswerTime is how long the homeserver waits for an answer of Application.
	// Synapse waits 30 s.
	AnswerTime time.Duration

	Room, UnknownRoom matrix.RoomID
	// Local and Remote are joined to Room. Left, Invited and Banned are users
	// of the homeserver who are not joined to Room.
	Local, Remote, Left, Invited, Banned matrix.UserID
	// OpenRoom is a room that everybody may read. Of the five users above, only
	// Local is joined to it.
	OpenRoom matrix.RoomID
	// These are the access tokens of the users Local, Left, Invited and Banned.
	LocalToken, LeftToken, InvitedToken, BannedToken string
	// Elsewhere is a homeserver that has no users in Room.
	Elsewhere matrix.ServerName
}

// Run runs every test of the contract.
func (c *Contract) Run(t *testing.T) {
	t.Run("membership", c.testMembership)
	t.Run("server membership", c.testServers)
	t.Run("questions that are refused", c.testRefusals)
	t.Run("members", c.testMembers)
	t.Run("lists that are refused", c.testMemberRefusals)
	t.Run("tokens", c.testTokens)
	t.Run("federation", c.testFederation)
	t.Run("proxy", c.testProxy)
	t.Run("own requests", c.testOwn)
	t.Run("another homeserver", c.testRemote)
	t.Run("the service is away", c.testAway)
}

func (c *Contract) testMembership(t *testing.T) {
	for _, tt := range []struct {
		name string
		room matrix.RoomID
		user matrix.UserID
		want bool
	}{
		{"local", c.Room, c.Local, true},
		{"remote", c.Room, c.Remote, true},
		{"left", c.Room, c.Left, false},
		{"invited", c.Room, c.Invited, false},
		{"banned", c.Room, c.Banned, false},
		{"unknown room", c.UnknownRoom, c.Local, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.API.IsJoined(t.Context(), tt.room, tt.user)
			if err != nil || got != tt.want {
				t.Errorf("IsJoined(%s, %s) = %v, %v, want %v", tt.room, tt.user, got, err, tt.want)
			}
		})
	}
}

func (c *Contract) testServers(t *testing.T) {
	for _, tt := range []struct {
		room   matrix.RoomID
		server matrix.ServerName
		want   bool
	}{
		{c.Room, c.Local.Server(), true},
		{c.Room, c.Remote.Server(), true},
		{c.Room, c.Elsewhere, false},
		{c.UnknownRoom, c.Local.Server(), false},
	} {
		got, err := c.API.IsServerJoined(t.Context(), tt.room, tt.server)
		if err != nil || got != tt.want {
			t.Errorf("IsServerJoined(%s, %s) = %v, %v, want %v", tt.room, tt.server, got, err, tt.want)
		}
	}
}

// testRefusals makes wrong requests, and checks the homeserver's error for
// each.
func (c *Contract) testRefusals(t *testing.T) {
	asToken := c.API.Token.Reveal()
	path := isJoinedPath + url.PathEscape(c.Room.String()) + "/is_joined"
	t.Run("a malformed room", func(t *testing.T) {
		c.wantError(t, http.MethodGet, isJoinedPath+"%21x/is_joined?mxid="+url.QueryEscape(c.Local.String()), asToken, "", 400, "M_INVALID_PARAM")
	})
	for _, tt := range []struct {
		name, token, query string
		status             int
		errcode            string
	}{
		{"neither user nor server", asToken, "", 400, "M_MISSING_PARAM"},
		{"a malformed user", asToken, "?mxid=alice", 400, "M_INVALID_PARAM"},
		{"a user that is not ASCII", asToken, "?mxid=" + url.QueryEscape("@ü:"+c.Local.Server().String()), 400, "M_UNKNOWN"},
		{"acting as a remote user", asToken, "?user_id=" + url.QueryEscape(c.Remote.String()), 403, "M_FORBIDDEN"},
		{"an ordinary user", c.LocalToken, "?mxid=" + url.QueryEscape(c.Local.String()), 403, "M_FORBIDDEN"},
		{"no token", "", "?mxid=" + url.QueryEscape(c.Local.String()), 401, "M_MISSING_TOKEN"},
		{"an unknown token", "nobody-has-this-one", "?mxid=" + url.QueryEscape(c.Local.String()), 401, "M_UNKNOWN_TOKEN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.wantError(t, http.MethodGet, path+tt.query, tt.token, "", tt.status, tt.errcode)
		})
	}
	// The homeserver must answer a user id that is not ASCII with an error, and
	// must not say that the user is not joined.
	user, err := matrix.ParseUserID("@ü:" + c.Local.Server().String())
	if err != nil {
		t.Fatal(err)
	}
	if joined, err := c.API.IsJoined(t.Context(), c.Room, user); err == nil {
		t.Errorf("IsJoined of a user that is not ASCII = %v, want an error", joined)
	}
}

func (c *Contract) testTokens(t *testing.T) {
	sender, err := c.API.WhoAmI(t.Context())
	if err != nil || sender.Server() != c.API.Server {
		t.Errorf("WhoAmI() = %v, %v, want a user of %s", sender, err, c.API.Server)
	}
	wrong := &matrix.AppService{Server: c.API.Server, APIs: c.API.APIs}
	_, err = wrong.WhoAmI(t.Context())
	if e, ok := errors.AsType[*matrix.AppServiceError](err); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("WhoAmI() with a wrong token: got %v, want the status 401", err)
	}
}

func (c *Contract) testFederation(t *testing.T) {
	if err := c.API.CanFederate(t.Context()); err != nil {
		t.Errorf("CanFederate() = %v, want no error", err)
	}
	_, err := c.API.RemoteToken(t.Context(), c.API.Server, json.RawMessage("{}"))
	if e, ok := errors.AsType[*matrix.AppServiceError](err); !ok || e.Status != http.StatusForbidden {
		t.Errorf("RemoteToken of our own server: got %v, want status 403", err)
	}
	c.wantError(t, http.MethodPost, fedProxyPath, c.LocalToken, "{}", 403, "M_FORBIDDEN")
}

// wantError makes one request, and checks that the answer is a Matrix error
// with status and errcode.
func (c *Contract) wantError(t *testing.T, method, path, token, body string, status int, errcode string) {
	t.Helper()
	got, _, answer := c.send(t, method, path, token, body)
	var matrixError struct {
		ErrCode string `json:"errcode"`
	}
	_ = json.Unmarshal([]byte(answer), &matrixError)
	if got != status || matrixError.ErrCode != errcode {
		t.Errorf("%s %s: status %d, body %s, want %d %s", method, path, got, answer, status, errcode)
	}
}
