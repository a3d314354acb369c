package handler

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// asker is who says to be asking, and the proof.
type asker struct {
	token matrix.OpenIDToken
	// claimed is the user of whom the request speaks; zero if it names none.
	claimed matrix.UserID
}

// call is what is asked for: to take part in the call in a slot of a room.
type call struct {
	room matrix.RoomID
	slot matrix.SlotID
	// identity says as whom, once it is proven which user asks.
	identity func(matrix.UserID) (sfu.Identity, error)
	// leave is handed over with it, nil if none is.
	leave *delegation
}

// delegation is a delayed leave event that a client hands over.
type delegation struct {
	id    matrix.DelayID
	delay time.Duration
}

// decoder reads the body of one endpoint. Faults are the client's: errNotJSON,
// errNotObject or a *fieldError.
type decoder func(body []byte) (asker, call, error)

// decodeSFUGet reads POST /sfu/get: the endpoint from before MatrixRTC had
// slots and members.
func decodeSFUGet(body []byte) (asker, call, error) {
	f := readFields(body, "room", "openid_token", "device_id", "delay_id", "delay_timeout")
	room := parsed(&f, "room", matrix.ParseRoomID)
	who := asker{token: f.openIDToken()}
	device := parsed(&f, "device_id", token.ParseLegacyDevice)
	what := call{room: room, slot: matrix.RoomCall, leave: f.delegation()}
	what.identity = func(user matrix.UserID) (sfu.Identity, error) {
		identity, err := token.LegacyIdentity(user, device)
		if err != nil {
			return "", &fieldError{field: "device_id", fault: faultInvalid, err: err}
		}
		return identity, nil
	}
	return who, what, *f.err
}

// decodeGetToken reads POST /get_token (MSC4195).
func decodeGetToken(body []byte) (asker, call, error) {
	f := readFields(body, "room_id", "slot_id", "openid_token", "member", "delay_id", "delay_timeout")
	who, what := f.member()
	what.leave = f.delegation()
	return who, what, *f.err
}

// decodeDelegate reads POST /delegate_delayed_leave (MSC4195).
func decodeDelegate(body []byte) (asker, call, error) {
	f := readFields(body, "room_id", "slot_id", "openid_token", "member", "delay_id", "delay_timeout")
	who, what := f.member()
	if what.leave = f.delegation(); what.leave == nil {
		f.required("delay_id")
	}
	return who, what, *f.err
}

// member reads what all endpoints with slots and members have.
func (f *fields) member() (asker, call) {
	what := call{
		room: parsed(f, "room_id", matrix.ParseRoomID),
		slot: parsed(f, "slot_id", matrix.ParseSlotID),
	}
	who := asker{token: f.openIDToken()}
	m := f.inner("member", "id", "claimed_user_id", "claimed_device_id")
	id := parsed(&m, "id", matrix.ParseMemberID)
	who.claimed = parsed(&m, "claimed_user_id", matrix.ParseUserID)
	device := parsed(&m, "claimed_device_id", matrix.ParseDeviceID)
	what.identity = func(user matrix.UserID) (sfu.Identity, error) {
		return token.MemberIdentity(user, device, id), nil
	}
	return who, what
}
