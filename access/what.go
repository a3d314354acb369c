package access

import (
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// Request says what is asked for: to take part in the call in a slot of a room.
type Request struct {
	Room matrix.RoomID
	Slot matrix.SlotID
	As   Participant
	// Leave is handed over with it, nil if none is.
	Leave *Leave
	// By is when the answer must be there.
	By time.Time
}

// Participant says as whom a user takes part, apart from the user id.
type Participant struct {
	Form   Form
	Device matrix.DeviceID // not of [TwoParts]
	Member matrix.MemberID // not of [Legacy]
}

// Form is how the identity on the SFU is derived. Each endpoint has one, and
// its clients compute the same.
type Form int

// The forms of an identity.
const (
	Legacy     Form = iota // user and device in the clear: /sfu/get
	ThreeParts             // hash of user, device and member: /get_token
	TwoParts               // hash of user and member: the homeserver's endpoints
)

// Leave is a delayed leave event that a client hands over.
type Leave struct {
	ID matrix.DelayID
	// Delay is what the client says of it; zero where the homeserver is asked.
	Delay time.Duration
}

// LiveKitRoom is the room on the SFU that the request is about.
func (r Request) LiveKitRoom() sfu.Room { return token.RoomName(r.Room, r.Slot) }

// identity returns that of user. Its error is a *[token.IdentityError].
func (r Request) identity(user matrix.UserID) (sfu.Identity, error) {
	switch r.As.Form {
	case Legacy:
		return token.LegacyIdentity(user, r.As.Device)
	case ThreeParts:
		return token.MemberIdentity(user, r.As.Device, r.As.Member), nil
	}
	return token.ProxiedIdentity(user, r.As.Member), nil
}
