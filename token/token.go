// Package token derives the LiveKit room and the identity of a caller from
// Matrix identifiers (MSC4195), and mints the access token that admits the
// caller to the SFU.
package token

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// maxIdentityBytes is the longest identity that LiveKit accepts by default.
// LiveKit's documentation gives the limit in characters, but LiveKit counts
// bytes. Only a LegacyIdentity can be longer. All other identities, and all
// rooms, are hashes of 43 bytes.
const maxIdentityBytes = 256

// RoomName returns the LiveKit room for a slot of a Matrix room. Every endpoint
// derives the room in the same way, so that old and new clients meet in one
// call.
func RoomName(room matrix.RoomID, slot matrix.SlotID) sfu.Room {
	return sfu.Room(digest(room.String(), slot.String()))
}

// MemberIdentity returns the identity of one participation of a device in a
// slot. The identity is a hash, and reveals neither user nor device nor member.
func MemberIdentity(user matrix.UserID, device matrix.DeviceID, member matrix.MemberID) sfu.Identity {
	return sfu.Identity(digest(user.String(), device.String(), member.String()))
}

// ProxiedIdentity returns the identity of one participation of a user in a slot,
// for clients that ask through their homeserver.
func ProxiedIdentity(user matrix.UserID, member matrix.MemberID) sfu.Identity {
	return sfu.Identity(digest(user.String(), member.String()))
}

// LegacyIdentity returns the identity "user:device" that clients of /sfu/get
// expect. Its error is an [*IdentityError].
//
// LegacyIdentity refuses a device with a ':'. Otherwise two users could get the
// same identity: "@a:b" with the device "1:D", and "@a:b:1" with the device
// "D". If one of them then joined, LiveKit would end the session of the other.
func LegacyIdentity(user matrix.UserID, device matrix.DeviceID) (sfu.Identity, error) {
	id := device.String()
	if err := checkLegacyDevice(id); err != nil {
		return "", err
	}
	if len(user.String())+1+len(id) > maxIdentityBytes {
		return "", &IdentityError{"user id and device_id together are longer than 255 bytes"}
	}
	return sfu.Identity(user.String() + ":" + id), nil
}

// ParseLegacyDevice parses a device id. It refuses an id that cannot be part of
// a [LegacyIdentity] of any user. So this service refuses a bad request before
// it asks a homeserver.
func ParseLegacyDevice(id string) (matrix.DeviceID, error) {
	if err := checkLegacyDevice(id); err != nil {
		return matrix.DeviceID{}, err
	}
	return matrix.ParseDeviceID(id)
}

func checkLegacyDevice(id string) error {
	switch {
	case id == "":
		return &IdentityError{"device_id is empty"}
	case strings.Contains(id, ":"):
		return &IdentityError{"device_id must not hold a ':'"}
	}
	return nil
}

// IdentityError says why a user and a device have no identity on the SFU. The
// request is at fault, and the client gets 400 M_BAD_JSON. The error's text
// quotes nothing of the request.
type IdentityError struct{ Reason string }

func (e *IdentityError) Error() string { return e.Reason }

// digest returns a hash of parts: the SHA-256 of their canonical JSON array, in
// standard base64 without padding.
func digest(parts ...string) string {
	var space [1024]byte // the stack holds this; longer input goes to the heap
	sum := sha256.Sum256(appendCanonical(space[:0], parts))
	var text [43]byte
	base64.RawStdEncoding.Encode(text[:], sum[:])
	return string(text[:])
}
