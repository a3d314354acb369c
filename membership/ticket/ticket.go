// Package ticket keeps what the service must know later about the bearer of a
// token: not in a table of its own, but sealed in the token itself, as an
// attribute that LiveKit hands back with the participant.
//
// A ticket holds for one place on the SFU, a room and an identity there. Only
// the holder of the API secret reads or makes one; to the other participants,
// who see it, it is noise.
package ticket

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"matrixrtc-auth/matrix"
)

// MaxBytes is the longest a ticket gets, as text: that of the longest ids.
const MaxBytes = 800

// Ticket is what was known when a token was issued.
type Ticket struct {
	Issuer Issuer
	Room   matrix.RoomID
	User   matrix.UserID
	By     Way
	// Joined says that the user was known to be joined to the room. False means
	// that nobody was asked, or nobody answered.
	Joined bool
	// Issued is when, in whole seconds. It is information only: LiveKit renews
	// the tokens of those who are connected, with their attributes.
	Issued time.Time
}

// Issuer tells the services apart that share an SFU, by the server name for
// which each is configured: the first 8 bytes of its SHA-256. The zero value is
// a service without one.
type Issuer [8]byte

// IssuerOf returns the service of server.
func IssuerOf(server matrix.ServerName) Issuer {
	if server.IsZero() {
		return Issuer{}
	}
	sum := sha256.Sum256([]byte(server.String()))
	return Issuer(sum[:8])
}

// Way is how its bearer came to a token.
type Way byte

// The ways to a token.
const (
	OpenID    Way = 1 + iota // from this service, with an OpenID token
	Proxied                  // through the homeserver of the user
	Federated                // through the user's homeserver and ours
)

// layout is the version of the content.
const layout = 1

// joinedFlag stands in the byte of the way.
const joinedFlag = 0x80

// append writes the content behind dst: issuer (8 bytes), way and flag (1),
// seconds (uvarint), length of the user id (uvarint), user id, room id.
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

var errContent = errors.New("its content is not a ticket's")

// parse reads what append wrote.
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

// maxSeconds is the end of the year 9999, behind which times have no text.
const maxSeconds = 253402300799

func number(content []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(content)
	if size <= 0 {
		return 0, nil, errContent
	}
	return n, content[size:], nil
}
