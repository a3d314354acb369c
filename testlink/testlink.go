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

// Open returns one of these errors if it refuses a key.
var (
	// ErrForged says that no API secret of this service made the key.
	ErrForged = errors.New("the key in the link was not made by this service")
	// ErrExpired says that the key is valid, but its time has passed.
	ErrExpired = errors.New("the link has expired")
)

// Key is the content of a link.
type Key struct {
	// Room is the name of the room for the test: "doctor-" and 16 hexadecimal
	// digits.
	Room sfu.Room
	// Expires is when the link stops working, to the second.
	Expires time.Time
}

// UsualMinutes is how many minutes a link works if the operator sets no other
// number. MostMinutes is the largest number that the operator can set.
const (
	UsualMinutes = 10
	MostMinutes  = 60
)

// The lengths in bytes of the parts of a sealed key. Together they are 28
// bytes, which are written as 38 characters.
const (
	roomBytes   = 8
	expiryBytes = 4 // the time in Unix seconds, which fits until the year 2106
	macBytes    = 16
)

// Length is the number of characters of a sealed key, the text in a link. Each
// character holds 6 bits.
const Length = (8*(roomBytes+expiryBytes+macBytes) + 5) / 6

// prefix is the beginning of the name of every room for tests.
const prefix = "doctor-"

// purpose is the label with which the MAC's key is derived from the API secret.
// No other key that is derived from the secret has this label.
const purpose = "matrixrtc-auth: key of a connection test"

// New returns a key with a new room.
func New(expires time.Time) Key {
	var random [roomBytes]byte
	_, _ = rand.Read(random[:]) // Read never fails
	return Key{Room: sfu.Room(prefix + hex.EncodeToString(random[:])), Expires: expires.Truncate(time.Second)}
}

// Seal returns k as the text in a link. The MAC in the text is made with the
// secret of the given API key. Seal fails if k's room is not a room for tests,
// or if k.Expires does not fit into four bytes.
func (k Key) Seal(with sfu.Key) (string, error) {
	digits, found := strings.CutPrefix(string(k.Room), prefix)
	room, err := hex.DecodeString(digits)
	if err != nil || !found || len(room) != roomBytes || strings.ToLower(digits) != digits {
		return "", fmt.Errorf("%q is not the name of a room for tests", k.Room)
	}
	seconds := k.Expires.Unix()
	if seconds != int64(uint32(seconds)) {
		return "", fmt.Errorf("%s cannot be the time at which a link ends: it does not fit into four bytes", k.Expires)
	}
	said := binary.BigEndian.AppendUint32(room, uint32(seconds))
	return base64.RawURLEncoding.EncodeToString(append(said, mac(with, said)...)), nil
}

// Open checks the text in a link and returns its content. It succeeds if the
// text was sealed with one of keys, and the link has not expired. Otherwise the
// error is ErrForged or ErrExpired; with ErrExpired, Open still returns the
// Key. A text that has not exactly [Length] characters is always refused.
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

// read parses the content of a key whose MAC is right. The error is ErrExpired
// if the link's time has passed.
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

// mac returns the MAC of the content of a key. Only somebody with the API
// secret can make this MAC.
func mac(with sfu.Key, said []byte) []byte {
	derived, err := hkdf.Key(sha256.New, []byte(with.Secret.Reveal()), nil, purpose, sha256.Size)
	if err != nil {
		panic(err) // cannot happen, because the length is valid
	}
	h := hmac.New(sha256.New, derived)
	h.Write(said)
	return h.Sum(nil)[:macBytes]
}

// In each run of a test, two participants are in the room. The identity of the
// sender is TesterPrefix followed by eight hexadecimal digits. The identity of
// the receiver is the sender's identity followed by ReceiverSuffix.
const (
	TesterPrefix   = "tester-"
	ReceiverSuffix = "-receiver"
)
