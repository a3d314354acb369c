package access

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// Request says which call the caller wants to join, and as which participant.
// A call is identified by a Matrix room and a slot of this room.
type Request struct {
	Room matrix.RoomID
	Slot matrix.SlotID
	As   Participant
	// Leave is the leave that the client hands over with the request; nil if
	// there is none.
	Leave *Leave
	// By is the time by which the answer must be sent.
	By time.Time
}

// Participant says which of a user's participants is meant. A user can have
// several participants in a call, for example one for each device.
type Participant struct {
	Form   Form
	Device matrix.DeviceID // empty for [TwoParts]
	Member matrix.MemberID // empty for [Legacy]
}

// Form says how the identity on the SFU is derived. Each endpoint uses one
// form, and its clients derive the identity in the same way.
type Form int

// The forms of an identity.
const (
	Legacy     Form = iota // user and device as plain text, for /sfu/get
	ThreeParts             // hash of user, device and member, for /get_token
	TwoParts               // hash of user and member, for the homeserver's endpoints
)

// Leave is a delayed leave event that a client hands over.
type Leave struct {
	ID matrix.DelayID
	// Delay is the event's delay, as the client names it. Delay is zero if this
	// service must ask the homeserver for it.
	Delay time.Duration
}

// LiveKitRoom is the room on the SFU that the request is about.
func (r Request) LiveKitRoom() sfu.Room { return token.RoomName(r.Room, r.Slot) }

// identity returns the identity of user on the SFU. Its error is a
// *[token.IdentityError].
func (r Request) identity(user matrix.UserID) (sfu.Identity, error) {
	switch r.As.Form {
	case Legacy:
		return token.LegacyIdentity(user, r.As.Device)
	case ThreeParts:
		return token.MemberIdentity(user, r.As.Device, r.As.Member), nil
	}
	return token.ProxiedIdentity(user, r.As.Member), nil
}
