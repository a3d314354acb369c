package appservice

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
)

// otherHomeservers makes the second homeserver send requests to the first, at the
// unstable and the stable path. Some of these are requests that no honest
// homeserver sends.
func otherHomeservers(t *testing.T, first, second *side, alice, bob, elsewhere *account.Account, room string) {
	for _, path := range []string{
		"/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token",
		"/_matrix/federation/v1/rtc/livekit/get_token",
	} {
		for name, tt := range map[string]struct {
			user   string
			body   map[string]any
			status int
		}{
			"its user":              {bob.UserID, first.call(room, nil), 200},
			"older form":            {bob.UserID, first.call(room, older), 200},
			"user who is not there": {elsewhere.UserID, first.call(room, nil), 403},
			"user of another":       {alice.UserID, first.call(room, nil), 403},
			"no user id":            {"bob", first.call(room, nil), 400},
			"not ASCII":             {"@bób:" + second.name.String(), first.call(room, nil), 403},
			"no room id":            {bob.UserID, first.call("!x", nil), 403},
			"unknown room":          {bob.UserID, first.call("!nobody-has-this:"+first.name.String(), nil), 403},
			"another SFU":           {bob.UserID, second.call(room, nil), 400},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				tt.body["user_id"] = tt.user
				if status, content := second.federate(t, first, path, tt.body); status != tt.status {
					t.Errorf("%s, %s: %d %s, want %d", path, name, status, content, tt.status)
				}
			})
		}
	}
}

// This map changes the body of a request into the form that older clients send.
var older = map[string]any{
	"member_id": nil, "member": map[string]string{"id": "m1", "claimed_device_id": "D"}, "delay_timeout": 8000,
}

// federate makes the homeserver of s send a request to another homeserver, and returns
// the answer.
func (s *side) federate(t *testing.T, other *side, path string, body any) (status int, content json.RawMessage) {
	t.Helper()
	service := &account.Account{BaseURL: s.URL(), AccessToken: s.registration.ASToken.Reveal()}
	var answer struct {
		Status  int
		Content json.RawMessage
	}
	must(t, service.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy", map[string]any{
		"destination": other.name.String(), "method": "POST", "path": path, "body": body,
	}, &answer))
	return answer.Status, answer.Content
}

// guest registers a guest user at the homeserver of s.
func (s *side) guest(t *testing.T) *account.Account {
	t.Helper()
	guest := &account.Account{BaseURL: s.URL()}
	must(t, guest.Call(within(t, time.Minute), http.MethodPost, "/_matrix/client/v3/register?kind=guest", struct{}{}, guest))
	return guest
}

// leavesOfOthers makes alice delegate delayed events that are not her leave in this
// room. The service must refuse each of these events.
func leavesOfOthers(t *testing.T, s *side, alice *account.Account, room string) {
	bob := s.register(t, "bob")
	other, his := callRoom(t, alice), callRoom(t, bob)
	for name, id := range map[string]string{
		"of another room": schedule(t, alice, other, "_"+alice.UserID+"_x"),
		"of another user": schedule(t, bob, his, "_"+bob.UserID+"_x"),
		"of nobody":       "syd_nobody_has_this",
	} {
		for _, prefix := range []string{unstable, stable} {
			t.Run(prefix+" "+name, func(t *testing.T) {
				answer, _ := post(t, alice, prefix+"/delegate_delayed_leave", s.call(room, map[string]any{"delay_id": id}))
				wants(t, prefix+", "+name, answer, 400, "M_INVALID_PARAM")
			})
		}
	}
}
