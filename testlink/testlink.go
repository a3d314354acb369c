// Package testlink makes and checks the keys in the links of the connection test:
// a person opens such a link on a phone, and the page behind it tests the way to
// the SFU.
//
// A key is all that the service knows of a link: which room it is for and when it
// ends, with a MAC by a key that is derived from the API secret. So no replica
// keeps anything, and each of them takes the keys of all.
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

// Why a key opens nothing.
var (
	// ErrForged is a key that was made with none of the API secrets.
	ErrForged = errors.New("the key of the link is not one of this service")
	// ErrExpired is one of ours whose time is over.
	ErrExpired = errors.New("the link has expired")
)

// Key is what a link stands for.
type Key struct {
	// Room is the probe room: "doctor-" and 16 hexadecimal digits.
	Room sfu.Room
	// Expires is when the link ends, to the second.
	Expires time.Time
}

// The parts of a sealed key, in bytes: 28 in all, which are 38 characters.
const (
	roomBytes   = 8
	expiryBytes = 4 // Unix seconds, until the year 2106
	macBytes    = 16
)

// Length is how many characters a sealed key has.
const Length = (8*(roomBytes+expiryBytes+macBytes) + 5) / 6

// prefix begins the names of all probe rooms.
const prefix = "doctor-"

// purpose tells this use of the API secret from all others.
const purpose = "matrixrtc-auth: key of a connection test"

// New returns the key of a room that no other link has.
func New(expires time.Time) Key {
	var random [roomBytes]byte
	_, _ = rand.Read(random[:]) // it never fails
	return Key{Room: sfu.Room(prefix + hex.EncodeToString(random[:])), Expires: expires.Truncate(time.Second)}
}

// Seal returns k as it stands in a link. An error is a room that is no probe room,
// or a time that does not fit.
func (k Key) Seal(with sfu.Key) (string, error) {
	digits, found := strings.CutPrefix(string(k.Room), prefix)
	room, err := hex.DecodeString(digits)
	if err != nil || !found || len(room) != roomBytes || strings.ToLower(digits) != digits {
		return "", fmt.Errorf("%q is no probe room", k.Room)
	}
	seconds := k.Expires.Unix()
	if seconds != int64(uint32(seconds)) {
		return "", fmt.Errorf("a link cannot end at %s", k.Expires)
	}
	said := binary.BigEndian.AppendUint32(room, uint32(seconds))
	return base64.RawURLEncoding.EncodeToString(append(said, mac(with, said)...)), nil
}

// Open returns what a sealed key stands for, if one of keys has sealed it and it
// has not ended. It reads no more than [Length] characters. The error is ErrForged
// or ErrExpired; with ErrExpired the Key is returned, too.
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

// read reads what a genuine key says.
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

// mac proves that who holds the API secret said something.
func mac(with sfu.Key, said []byte) []byte {
	derived, err := hkdf.Key(sha256.New, []byte(with.Secret.Reveal()), nil, purpose, sha256.Size)
	if err != nil {
		panic(err) // the length is right
	}
	h := hmac.New(sha256.New, derived)
	h.Write(said)
	return h.Sum(nil)[:macBytes]
}

// Each run of a test is two participants: the one who sends is "tester-" and eight
// hexadecimal digits, the one who receives has the suffix besides. Topic is that of
// the message with which a run says how it ended.
const (
	TesterPrefix   = "tester-"
	ReceiverSuffix = "-receiver"
	Topic          = "connection-test"
)
