// Package testlink makes and checks the keys in the links of the connection
// test. A person opens such a link on a phone, and the page behind it tests the
// way to the SFU.
//
// The service stores no links. The key in a link holds all that the service needs:
// the room, the time at which the link ends, and a MAC. The MAC's own key is derived
// from the API secret, so each replica accepts the links of the others.
package testlink

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"matrixrtc-auth/sfu"
)

// Why a key is refused.
var (
	// ErrForged says that none of the API secrets made the key.
	ErrForged = errors.New("the key of the link is not one of this service")
	// ErrExpired says that the key is valid but its link has ended.
	ErrExpired = errors.New("the link has expired")
)

// Key is the content of a link.
type Key struct {
	// Room is the probe room: "doctor-" and 16 hexadecimal digits.
	Room sfu.Room
	// Expires is when the link ends, to the second.
	Expires time.Time
}

// How long a link is valid, in minutes: usually, and at most.
const (
	UsualMinutes = 10
	MostMinutes  = 60
)

// The parts of a sealed key in bytes: 28 in all, as 38 characters.
const (
	roomBytes   = 8
	expiryBytes = 4 // Unix seconds, until the year 2106
	macBytes    = 16
)

// Length is the number of characters of a sealed key.
const Length = (8*(roomBytes+expiryBytes+macBytes) + 5) / 6

// prefix is the prefix of all probe rooms' names.
const prefix = "doctor-"

// purpose separates this use of the API secret from others.
const purpose = "matrixrtc-auth: key of a connection test"

// New returns the key of a new room.
func New(expires time.Time) Key {
	var random [roomBytes]byte
	_, _ = rand.Read(random[:]) // never fails
	return Key{Room: sfu.Room(prefix + hex.EncodeToString(random[:])), Expires: expires.Truncate(time.Second)}
}

// Seal returns k as text for a link. It fails if the room is not a probe room, or if
// the time does not fit into four bytes.
func (k Key) Seal(with sfu.Key) (string, error) {
	digits, found := strings.CutPrefix(string(k.Room), prefix)
	room, err := hex.DecodeString(digits)
	if err != nil || !found || len(room) != roomBytes || strings.ToLower(digits) != digits {
		return "", fmt.Errorf("%q is not the name of a probe room", k.Room)
	}
	seconds := k.Expires.Unix()
	if seconds != int64(uint32(seconds)) {
		return "", fmt.Errorf("%s cannot be the end of a link's life", k.Expires)
	}
	said := binary.BigEndian.AppendUint32(room, uint32(seconds))
	return base64.RawURLEncoding.EncodeToString(append(said, mac(with, said)...)), nil
}

// Open returns the key in a link, if one of keys has sealed it and it has not
// expired. It reads at most [Length] characters. The error is ErrForged or
// ErrExpired; with ErrExpired it returns the Key, too.
func Open(text string, keys []sfu.Key, now time.Time) (Key, error) {
	if len(text) != Length {
		return Key{}, ErrForged
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) != roomBytes+expiryBytes+macBytes {
		return Key{}, ErrForged
	}
	said, proof := sealed[:roomBytes+expiryBytes], sealed[roomBytes+expiryBytes:]
	for _, key := range keys {
		if hmac.Equal(mac(key, said), proof) {
			return read(said, now)
		}
	}
	return Key{}, ErrForged
}

// read parses the content of a key whose MAC was checked. The error is ErrExpired if
// the link has ended.
func read(said []byte, now time.Time) (Key, error) {
	k := Key{
		Room:    sfu.Room(prefix + hex.EncodeToString(said[:roomBytes])),
		Expires: time.Unix(int64(binary.BigEndian.Uint32(said[roomBytes:])), 0),
	}
	if !now.Before(k.Expires) {
		return k, ErrExpired
	}
	return k, nil
}

// mac proves that a holder of the API secret made the content.
func mac(with sfu.Key, said []byte) []byte {
	derived, err := hkdf.Key(sha256.New, []byte(with.Secret.Reveal()), nil, purpose, sha256.Size)
	if err != nil {
		panic(err) // the length is right
	}
	h := hmac.New(sha256.New, derived)
	h.Write(said)
	return h.Sum(nil)[:macBytes]
}

// Each run of a test is two participants: the sender is "tester-" and eight
// hexadecimal digits, the receiver has the suffix as well. Topic is the topic
// of the message with a run's verdict.
const (
	TesterPrefix   = "tester-"
	ReceiverSuffix = "-receiver"
	Topic          = "connection-test"
)
