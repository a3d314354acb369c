package handler

import (
	"matrixrtc-auth/access"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/token"
)

// decoder reads the body of a request to one endpoint. Its errors are
// errNotJSON, errNotObject and *fieldError. They mean that the client is at
// fault, and the client gets 400 (problem.go). The file fields.go checks the
// content of each field.
type decoder func(body []byte) (access.OpenID, access.Request, error)

// decodeSFUGet parses the body of POST /sfu/get. This endpoint is older than
// slots and members, so the body has neither.
func decodeSFUGet(body []byte) (access.OpenID, access.Request, error) {
	f := readFields(body, "room", "openid_token", "device_id", "delay_id", "delay_timeout")
	what := access.Request{Room: parsed(&f, "room", matrix.ParseRoomID), Slot: matrix.RoomCall}
	who := access.OpenID{Token: f.openIDToken()}
	what.As = access.Participant{Form: access.Legacy, Device: parsed(&f, "device_id", token.ParseLegacyDevice)}
	what.Leave = f.delegation()
	return who, what, *f.err
}

// decodeGetToken parses the body of POST /get_token (MSC4195).
func decodeGetToken(body []byte) (access.OpenID, access.Request, error) {
	f := readFields(body, "room_id", "slot_id", "openid_token", "member", "delay_id", "delay_timeout")
	who, what := f.member()
	what.Leave = f.delegation()
	return who, what, *f.err
}

// decodeDelegate parses the body of POST /delegate_delayed_leave (MSC4195).
func decodeDelegate(body []byte) (access.OpenID, access.Request, error) {
	f := readFields(body, "room_id", "slot_id", "openid_token", "member", "delay_id", "delay_timeout")
	who, what := f.member()
	if what.Leave = f.delegation(); what.Leave == nil {
		f.required("delay_id")
	}
	return who, what, *f.err
}

// member reads the fields that all endpoints with slots and members have in
// common. It returns the OpenID token that proves the user, and what the user
// asks for.
func (f *fields) member() (access.OpenID, access.Request) {
	what := access.Request{
		Room: parsed(f, "room_id", matrix.ParseRoomID),
		Slot: parsed(f, "slot_id", matrix.ParseSlotID),
	}
	who := access.OpenID{Token: f.openIDToken()}
	m := f.inner("member", "id", "claimed_user_id", "claimed_device_id")
	what.As = access.Participant{Form: access.ThreeParts, Member: parsed(&m, "id", matrix.ParseMemberID)}
	who.Claimed = parsed(&m, "claimed_user_id", matrix.ParseUserID)
	what.As.Device = parsed(&m, "claimed_device_id", matrix.ParseDeviceID)
	return who, what
}
