// Package token says what a caller may do on the SFU: it derives the LiveKit
// room and the identity from Matrix identifiers (MSC4195) and mints the access
// token that admits them.
package token

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

// maxIdentityBytes is the longest identity that LiveKit admits by default.
// It documents characters and counts bytes.
const maxIdentityBytes = 256

// RoomName returns the LiveKit room of a slot of a Matrix room. Every endpoint
// derives it the same way, so that old and new clients of one call meet.
func RoomName(room matrix.RoomID, slot matrix.SlotID) sfu.Room {
	return sfu.Room(digest(room.String(), slot.String()))
}

// MemberIdentity returns the identity of one participation of a device in a
// slot. It is a hash: who does not know the three parts learns none of them.
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
// A device with a ':' is refused: "@a:b" with the device "1:D" and "@a:b:1"
// with the device "D" would share an identity, and LiveKit throws out whoever
// holds it when another joins.
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

// ParseLegacyDevice parses a device id and refuses those that have no
// [LegacyIdentity] whoever the user is, so before anybody is asked who that is.
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
// fault is the request's, and the text quotes nothing of it.
type IdentityError struct{ Reason string }

func (e *IdentityError) Error() string { return e.Reason }

// digest returns the unpadded standard base64 of the SHA-256 of the canonical
// JSON array of parts.
func digest(parts ...string) string {
	var space [1024]byte // on the stack; longer input moves to the heap
	sum := sha256.Sum256(appendCanonical(space[:0], parts))
	var text [43]byte
	base64.RawStdEncoding.Encode(text[:], sum[:])
	return string(text[:])
}
