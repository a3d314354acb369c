// Package ticket puts a sealed ticket into each token: what this service must
// know later about the bearer. The service needs no database for this, because
// LiveKit returns the ticket as an attribute of the participant.
//
// A ticket is valid for one place on the SFU: a room, and an identity in it.
// Only a holder of the API secret can make or read a ticket. Other participants
// get the attribute, but cannot read the ticket in it.
package ticket

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"matrixrtc-auth/matrix"
)

// MaxBytes bounds the length of a ticket's text. A ticket with the longest ids is
// shorter.
const MaxBytes = 800

// Ticket is what this service knew about the bearer when it issued the token.
type Ticket struct {
	Issuer Issuer
	Room   matrix.RoomID
	User   matrix.UserID
	By     Way
	// Joined says that the user was known to be joined to the room. It is false
	// if the homeserver said no, did not answer, or was not asked.
	Joined bool
	// Issued is when this service issued the token, in whole seconds. The age of
	// a ticket does not end a session, because LiveKit renews the token of a
	// connected participant. The new token contains the same ticket.
	Issued time.Time
}

// Issuer tells the services that share an SFU apart. It is the first 8 bytes of
// the SHA-256 of the server name for which the service is configured. The zero
// value stands for a service without a server name.
type Issuer [8]byte

// IssuerOf returns the Issuer of the service for server.
func IssuerOf(server matrix.ServerName) Issuer {
	if server.IsZero() {
		return Issuer{}
	}
	sum := sha256.Sum256([]byte(server.String()))
	return Issuer(sum[:8])
}

// Way says how the bearer got the token.
type Way byte

// The ways in which a bearer can get a token.
const (
	OpenID    Way = 1 + iota // from this service directly, with an OpenID token
	Proxied                  // through the user's homeserver, which forwarded the request to this service
	Federated                // through the user's homeserver, which asked the homeserver of this service
)

// layout is the version of the layout in which tickets are written.
const layout = 1

// joinedFlag is one bit of a byte in a ticket. It is set if [Ticket.Joined] is true.
// The other bits of this byte are the Way.
const joinedFlag = 0x80

// append appends the content of t to dst: issuer (8 bytes), way and joinedFlag
// (1 byte), seconds (uvarint), length of the user id (uvarint), user id, room
// id.
func (t Ticket) append(dst []byte) []byte {
	dst = append(dst, t.Issuer[:]...)
	way := byte(t.By)
	if t.Joined {
		way |= joinedFlag
	}
	dst = append(dst, way)
	dst = binary.AppendUvarint(dst, uint64(max(t.Issued.Unix(), 0)))
	user := t.User.String()
	dst = binary.AppendUvarint(dst, uint64(len(user)))
	dst = append(dst, user...)
	return append(dst, t.Room.String()...)
}

var errContent = errors.New("the content of the ticket is not valid")

// parse parses what append has written.
func parse(content []byte) (Ticket, error) {
	var t Ticket
	if len(content) < len(t.Issuer)+1 {
		return t, errContent
	}
	rest := content[copy(t.Issuer[:], content):]
	t.By, t.Joined = Way(rest[0]&^joinedFlag), rest[0]&joinedFlag != 0
	if t.By < OpenID || t.By > Federated {
		return t, errContent
	}
	seconds, rest, err := number(rest[1:])
	if err != nil || seconds > maxSeconds {
		return t, errContent
	}
	length, rest, err := number(rest)
	if err != nil || length > uint64(len(rest)) {
		return t, errContent
	}
	t.Issued = time.Unix(int64(seconds), 0)
	if t.User, err = matrix.ParseUserID(string(rest[:length])); err != nil {
		return t, errContent
	}
	if t.Room, err = matrix.ParseRoomID(string(rest[length:])); err != nil {
		return t, errContent
	}
	return t, nil
}

// maxSeconds is the last second of the year 9999. Later times have no text
// form.
const maxSeconds = 253402300799

func number(content []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(content)
	if size <= 0 {
		return 0, nil, errContent
	}
	return n, content[size:], nil
}
