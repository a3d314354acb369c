package handler

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

func TestAnswer(t *testing.T) {
	r := newRig()
	r.Minter = ticket.NewMinter([]sfu.Key{testKey}, time.Hour)
	for _, e := range endpoints {
		w := r.serve("POST", e.path, e.body)
		var answer map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
			t.Fatalf("%s: got %d %s (%v), want 200 and JSON", e.path, w.Code, w.Body, err)
		}
		if answer["url"] != r.URL || strings.Count(answer["jwt"], ".") != 2 || len(answer) != 2 {
			t.Errorf("%s: got %v, want the URL %s, a token, and no more", e.path, answer, r.URL)
		}
	}
}

func TestWhoGetsWhat(t *testing.T) {
	const (
		legacyRoom = "O9fjXP35ffUz7WTQRfX6zrLDjkDv7VX2N1CVFzP01tQ"
		memberRoom = "O8437W3+jmzMVjoIP3tNwbm+XxHQk2iKpOA7aqw3qSc"
	)
	r := newRig()
	r.CanPublish = func(s matrix.ServerName) bool { return s.String() != "mute.example" }
	for _, c := range []struct {
		user               string
		created, canPublic bool
	}{
		{"@alice:" + homeserver, true, true},
		{"@alice:" + stranger, false, true},
		{"@alice:mute.example", false, false},
		{"@alice:EXAMPLE.ORG", false, true},     // in upper case, this is the name of a different server
		{"@alice:example.org:443", false, true}, // the port is a part of the server name
	} {
		t.Run(c.user, func(t *testing.T) {
			for path, body := range map[string]string{
				"/sfu/get":   replaceIn(t, sfuGetBody(c.user), "room", `"!gIpOlaUSrXBmgtveWK:call.ems.host"`),
				"/get_token": replaceIn(t, replaceIn(t, getTokenBody(c.user), "room_id", `"!roomid:example.com"`), "slot_id", `"slot1234"`),
			} {
				want := token.Grant{Room: legacyRoom, Identity: sfu.Identity(c.user + ":DEVICE"), CanPublish: c.canPublic}
				if path == "/get_token" {
					user, _ := matrix.ParseUserID(c.user)
					device, _ := matrix.ParseDeviceID("DEVICE")
					member, _ := matrix.ParseMemberID("xyzABCDEF0123")
					want.Room, want.Identity = memberRoom, token.MemberIdentity(user, device, member)
				}
				r.rooms.rooms = nil
				w := r.serve("POST", path, body)
				if w.Code != 200 || r.grants.last != want {
					t.Errorf("%s %s: %d %s, grant %+v, want %+v", path, c.user, w.Code, w.Body, r.grants.last, want)
				}
				if created := len(r.rooms.rooms) == 1 && r.rooms.rooms[0] == want.Room; created != c.created {
					t.Errorf("%s %s: rooms %q, created want %v", path, c.user, r.rooms.rooms, c.created)
				}
			}
		})
	}
}

// TestBothEndpointsLeadIntoOneRoom checks that old and new clients in the same
// call get tokens for the same room.
func TestBothEndpointsLeadIntoOneRoom(t *testing.T) {
	r := newRig()
	r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	legacy := r.grants.last
	r.serve("POST", "/get_token", getTokenBody("@alice:"+homeserver))
	if r.grants.last.Room != legacy.Room || r.grants.last.Identity == legacy.Identity {
		t.Errorf("got %+v and %+v, want one room and two identities", legacy, r.grants.last)
	}
}

func TestMetadataGrant(t *testing.T) {
	r := newRig()
	r.CanUpdateOwnMetadata = true
	r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+stranger))
	if !r.grants.last.CanUpdateOwnMetadata {
		t.Errorf("got the grant %+v, want CanUpdateOwnMetadata", r.grants.last)
	}
}

// TestUnauthorizedTellsNothing checks that the answers to all failed
// verifications have the same text.
func TestUnauthorizedTellsNothing(t *testing.T) {
	const want = `{"errcode":"M_UNAUTHORIZED","error":"The OpenID token does not prove the user"}`
	r := newRig()
	for _, cause := range []matrix.Cause{matrix.CauseBusy, matrix.CauseDNS, matrix.CauseRefused, matrix.CauseConnect,
		matrix.CauseTLS, matrix.CauseTimeout, matrix.CauseProtocol, matrix.CauseTooLarge, matrix.CauseStatus, matrix.CauseNotJSON} {
		t.Run(string(cause), func(t *testing.T) {
			r.verifier.cause = cause
			if w := r.serve("POST", "/sfu/get", badTokenBody(stranger)); w.Code != 401 || w.Body.String() != want {
				t.Errorf("%s: %d %s, want 401 %s", cause, w.Code, w.Body, want)
			}
		})
	}
	for what, body := range map[string]string{
		"sub of another server": replaceIn(t, sfuGetBody("@alice:"+homeserver), "openid_token.matrix_server_name", `"`+stranger+`"`),
		"another user claimed":  replaceIn(t, getTokenBody("@alice:"+homeserver), "member.claimed_user_id", `"@bob:`+homeserver+`"`),
	} {
		t.Run(what, func(t *testing.T) {
			path := "/sfu/get"
			if strings.Contains(body, "member") {
				path = "/get_token"
			}
			if w := r.serve("POST", path, body); w.Code != 401 || w.Body.String() != want {
				t.Errorf("%s: %d %s, want 401 %s", what, w.Code, w.Body, want)
			}
		})
	}
	if len(r.rooms.rooms) > 0 {
		t.Errorf("rooms created for users who were not proven: got %v, want 0", len(r.rooms.rooms))
	}
}

// TestTooManyRooms checks the answer if the service is already creating too
// many rooms. That happens if the SFU hangs, or if somebody asks for many
// rooms.
func TestTooManyRooms(t *testing.T) {
	r := newRig()
	r.rooms.err = &sfu.Error{Op: "CreateRoom", Cause: sfu.CauseBusy, Err: errors.New("too many")}
	w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	want := `{"errcode":"M_UNKNOWN","error":"Unable to create room on SFU","retry_after_ms":10000}`
	if got := w.Body.String(); w.Code != 503 || got != want || w.Header().Get("Retry-After") != "10" {
		t.Errorf("%d %s, Retry-After %q, want 503 %s after 10", w.Code, got, w.Header().Get("Retry-After"), want)
	}
	if got := r.log.String(); !strings.Contains(got, "cause=sfu_busy") {
		t.Errorf("log: got %s, want cause=sfu_busy in it", got)
	}
}

func TestRoomFailure(t *testing.T) {
	r := newRig()
	r.rooms.err = &sfu.Error{Op: "CreateRoom", Cause: sfu.CauseUnauthorized, Err: errors.New("secret of the SFU's")}
	w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver))
	if got, want := w.Body.String(), `{"errcode":"M_UNKNOWN","error":"Unable to create room on SFU"}`; w.Code != 500 || got != want {
		t.Errorf("%d %s, want 500 %s", w.Code, got, want)
	}
	if got := r.log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "cause=sfu_unauthorized") {
		t.Errorf("log: got %s, want level=ERROR and cause=sfu_unauthorized in it", got)
	}
	if w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+stranger)); w.Code != 200 {
		t.Errorf("a user who may not create rooms: got %d, want 200", w.Code)
	}
}
