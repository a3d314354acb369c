package handler

import (
	"encoding/json"

	"matrixrtc-auth/access"
	"matrixrtc-auth/matrix"
)

// proxiedRequest is the body of a request that a homeserver proxies.
type proxiedRequest struct {
	url     string // the SFU's URL in the request
	what    access.Request
	server  string        // the homeserver from whose SFU the client wants a token; "" for our own homeserver
	claimed matrix.UserID // the user whom a body in the older form names; zero if it names none
	member  json.RawMessage
}

// decodeProxied parses the body of get_token in the Client-Server API
// (MSC4195).
func decodeProxied(body []byte) (proxiedRequest, error) {
	f := readFields(body, "url", "room_id", "slot_id", "member_id", "member", "server_name")
	ask := f.proxied()
	if f.optional("server_name") != nil {
		ask.server = f.anyText("server_name")
	}
	return ask, *f.err
}

// decodeProxiedDelegate parses the body of delegate_delayed_leave in the
// Client-Server API. It ignores the delay_timeout of older clients, because
// this service asks the homeserver for the delay.
func decodeProxiedDelegate(body []byte) (proxiedRequest, error) {
	f := readFields(body, "url", "room_id", "slot_id", "member_id", "member", "delay_id")
	ask := f.proxied()
	ask.what.Leave = &access.Leave{ID: parsed(&f, "delay_id", matrix.ParseDelayID)}
	return ask, *f.err
}

// decodeFederated parses the body of get_token in the federation API. user is
// the id of the user for whom the other homeserver asks. decodeFederated does
// not parse this id.
func decodeFederated(body []byte) (ask proxiedRequest, user string, err error) {
	f := readFields(body, "url", "room_id", "slot_id", "member_id", "member", "user_id")
	ask = f.proxied()
	user = f.text("user_id")
	return ask, user, *f.err
}

// proxied returns the values of the fields that all proxied endpoints have in
// common. Newer clients send member_id. Older clients send member with the
// device. This service derives the participant's identity from user and member if
// the client sent member_id, and from user, device and member if it sent member.
func (f *fields) proxied() proxiedRequest {
	ask := proxiedRequest{url: f.text("url")}
	ask.what.Room = parsed(f, "room_id", matrix.ParseRoomID)
	ask.what.Slot = parsed(f, "slot_id", matrix.ParseSlotID)
	if f.optional("member_id") != nil || f.optional("member") == nil {
		ask.what.As = access.Participant{Form: access.TwoParts, Member: parsed(f, "member_id", matrix.ParseMemberID)}
		return ask
	}
	ask.member = json.RawMessage(f.optional("member"))
	m := f.inner("member", "id", "claimed_user_id", "claimed_device_id")
	ask.what.As = access.Participant{
		Form:   access.ThreeParts,
		Member: parsed(&m, "id", matrix.ParseMemberID),
		Device: parsed(&m, "claimed_device_id", matrix.ParseDeviceID),
	}
	if m.optional("claimed_user_id") != nil {
		ask.claimed = parsed(&m, "claimed_user_id", matrix.ParseUserID)
	}
	return ask
}

// target returns the homeserver from whose SFU the client wants a token. The
// zero ServerName stands for our own homeserver, whose name is own. The client
// means our own homeserver if server_name is absent, empty, or exactly own. A
// malformed server_name gives a *paramError (400 M_INVALID_PARAM).
func (r proxiedRequest) target(own matrix.ServerName) (matrix.ServerName, error) {
	if r.server == "" || r.server == own.String() {
		return matrix.ServerName{}, nil
	}
	server, err := matrix.ParseServerName(r.server)
	if err != nil {
		return matrix.ServerName{}, &paramError{param: "server_name", cause: "bad_server_name", detail: err.Error()}
	}
	return server, nil
}

// claims compares the user whom the body names with the user whom the homeserver
// names (the argument user). If they differ, it returns a *paramError (400
// M_INVALID_PARAM). A body that names no user is valid.
func (r proxiedRequest) claims(user matrix.UserID) error {
	if r.claimed.IsZero() || r.claimed == user {
		return nil
	}
	return &paramError{param: "member.claimed_user_id", cause: "claimed_user", detail: "the request claims another user than the homeserver vouches for"}
}

// forRemote returns the body of the request that this service sends to another
// homeserver.
func (r proxiedRequest) forRemote(user matrix.UserID) json.RawMessage {
	request := map[string]any{
		"url": r.url, "user_id": user.String(), "room_id": r.what.Room.String(), "slot_id": r.what.Slot.String(),
	}
	if r.member != nil {
		request["member"] = r.member
	} else {
		request["member_id"] = r.what.As.Member.String()
	}
	text, err := json.Marshal(request)
	if err != nil {
		panic(err) // impossible: request holds only strings and valid JSON
	}
	return text
}
