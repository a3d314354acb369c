// Package account is a client of a real homeserver: a user with those parts of the
// Client-Server API that calls need.
package account

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"matrixrtc-auth/e2e/caller"
)

// Account is a registered user with one device.
type Account struct {
	BaseURL     string `json:"-"` // the URL at which this program reaches the homeserver
	UserID      string `json:"user_id"`
	DeviceID    string `json:"device_id"`
	AccessToken string `json:"access_token"`
}

// PasswordPrefix is the first part of each account's password. The second part is the
// localpart.
const PasswordPrefix = "password-of-"

// Register creates an account on a homeserver with open registration.
func Register(ctx context.Context, baseURL, localpart string) (*Account, error) {
	a := &Account{BaseURL: baseURL}
	return a, a.Call(ctx, http.MethodPost, "/_matrix/client/v3/register", map[string]any{
		"username": localpart, "password": PasswordPrefix + localpart,
		"auth": map[string]string{"type": "m.login.dummy"},
	}, a)
}

// CallMember and RTCMember are the types of the events with which Element Call says who
// is in a call. In compatibility mode Element Call sends state events with the type
// CallMember. In matrix_2_0 mode it sends sticky events with the type RTCMember.
const (
	CallMember = "org.matrix.msc3401.call.member"
	RTCMember  = "org.matrix.msc4143.rtc.member"
)

// CreateCallRoom creates a private room in which everybody may join a call, and
// returns its id.
func (a *Account) CreateCallRoom(ctx context.Context, encrypted bool) (string, error) {
	initial := []any{}
	if encrypted {
		initial = append(initial, map[string]any{
			"type": "m.room.encryption", "state_key": "",
			"content": map[string]string{"algorithm": "m.megolm.v1.aes-sha2"},
		})
	}
	var made struct {
		RoomID string `json:"room_id"`
	}
	err := a.Call(ctx, http.MethodPost, "/_matrix/client/v3/createRoom", map[string]any{
		"name": "Call", "preset": "private_chat", "initial_state": initial,
		"power_level_content_override": map[string]any{
			"events": map[string]int{CallMember: 0, RTCMember: 0},
		},
	}, &made)
	return made.RoomID, err
}

// Invite invites a user to a room.
func (a *Account) Invite(ctx context.Context, room, user string) error {
	return a.Call(ctx, http.MethodPost, "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/invite",
		map[string]string{"user_id": user}, nil)
}

// Join joins a room to which the user was invited. via is the name of a homeserver that
// is in the room.
func (a *Account) Join(ctx context.Context, room, via string) error {
	return a.Call(ctx, http.MethodPost,
		"/_matrix/client/v3/join/"+url.PathEscape(room)+"?server_name="+url.QueryEscape(via), struct{}{}, nil)
}

// OpenIDToken asks the homeserver for a new OpenID token of the user.
func (a *Account) OpenIDToken(ctx context.Context) (caller.OpenIDToken, error) {
	var token caller.OpenIDToken
	return token, a.Call(ctx, http.MethodPost,
		"/_matrix/client/v3/user/"+url.PathEscape(a.UserID)+"/openid/request_token", struct{}{}, &token)
}

// Event is an event of a room.
type Event struct {
	ID       string         `json:"event_id"`
	Type     string         `json:"type"`
	Sender   string         `json:"sender"`
	StateKey *string        `json:"state_key"`
	Content  map[string]any `json:"content"`
	Time     int64          `json:"origin_server_ts"` // when the homeserver got the event, in milliseconds since 1970
}

// State returns the current state of a room.
func (a *Account) State(ctx context.Context, room string) ([]Event, error) {
	var events []Event
	return events, a.Call(ctx, http.MethodGet, "/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/state", nil, &events)
}

// Timeline returns the newest events of a room. The newest event comes first. limit is
// the maximum number of events.
func (a *Account) Timeline(ctx context.Context, room string, limit int) ([]Event, error) {
	var page struct{ Chunk []Event }
	err := a.Call(ctx, http.MethodGet,
		fmt.Sprintf("/_matrix/client/v3/rooms/%s/messages?dir=b&limit=%d", url.PathEscape(room), limit), nil, &page)
	return page.Chunk, err
}

// Error is the error for an answer of the homeserver whose status is not 2xx.
type Error struct {
	Status int
	Body   []byte
	What   string // the method and path of the failed request
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %d %s", e.What, e.Status, e.Body) }

// client sends all requests. A request fails if the homeserver does not answer in time.
var client = &http.Client{Timeout: 60 * time.Second}

// Call sends a request with the account's access token. If out is not nil, Call decodes
// the answer into out. An answer whose status is not 2xx is an *[Error].
func (a *Account) Call(ctx context.Context, method, path string, body, out any) error {
	req, err := a.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &Error{resp.StatusCode, bytes.TrimSpace(answer), method + " " + path}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (a *Account) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.BaseURL+path, content)
	if err != nil {
		return nil, err
	}
	if a.AccessToken != "" {
		req.Header.Set("Authorization", "Bearer "+a.AccessToken)
	}
	return req, nil
}
