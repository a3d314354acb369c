package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"matrixrtc-auth/sfu"
)

// header is the first part of every token: base64url of
// {"alg":"HS256","typ":"JWT"}, and a dot.
const header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."

// Grant is what a token allows: to join Room as Identity, visible to others,
// and to receive everything that is sent in Room.
//
// A participant with CanPublish false may send nothing, neither a track nor a
// data message, because LiveKit uses canPublish where canPublishData is absent.
// So the participant has no chat, no reactions and no RPC over the SFU. The
// participant may subscribe to every track and data message. LiveKit shows the
// participant to all others, and keeps the room open for them. If the same
// identity joins again, LiveKit ends the older connection.
//
// CanPublish true allows media of every source, since no sources are listed. It
// also allows data, which Element Call needs. LiveKit also admits the bearer a
// second time, as "Identity#suffix", to publish only.
//
// CanUpdateOwnMetadata lets a participant set its own name, metadata and
// attributes, when it connects and later. No flag allows anyone to create,
// list, close or administer rooms.
type Grant struct {
	Room                             sfu.Room
	Identity                         sfu.Identity
	CanPublish, CanUpdateOwnMetadata bool
	// Ticket is a sealed text. The SFU stores it for this service as the
	// participant's attribute [sfu.TicketAttribute]. Ticket is "" if there is
	// none.
	Ticket string
}

// Minter makes LiveKit access tokens: JWTs signed with HS256. Several
// goroutines may use it at the same time.
type Minter struct {
	issuer string // the JSON of the claims up to the identity; it is the same in all tokens
	ttl    time.Duration
	spaces sync.Pool // holds *workspace
}

// workspace holds the buffers and the keyed HMAC for one call of Mint. Later
// calls reuse the workspace.
type workspace struct {
	mac        hash.Hash
	claims     []byte
	token, sum []byte
}

// NewMinter returns a Minter that signs with key. Its tokens are valid for ttl,
// rounded down to whole seconds.
func NewMinter(key sfu.Key, ttl time.Duration) *Minter {
	m := &Minter{
		issuer: string(appendASCII([]byte(`{"iss":"`), key.ID)) + `","sub":"`,
		ttl:    ttl,
	}
	m.spaces.New = func() any {
		return &workspace{mac: hmac.New(sha256.New, []byte(key.Secret.Reveal()))}
	}
	return m
}

// Mint returns a token for g, valid from now on. The SFU checks a token only
// when its bearer connects, so a session may last longer than its token.
//
// The payload holds no byte that base64url writes as '-' or '_', because
// Element Call decodes it with atob, which accepts neither.
func (m *Minter) Mint(g Grant, now time.Time) string {
	s := m.spaces.Get().(*workspace)
	defer m.spaces.Put(s)
	s.claims = m.appendClaims(s.claims[:0], g, now)
	s.token = append(s.token[:0], header...)
	s.token = base64.RawURLEncoding.AppendEncode(s.token, s.claims)
	s.sum = s.sign(s.token)
	s.token = append(s.token, '.')
	s.token = base64.RawURLEncoding.AppendEncode(s.token, s.sum)
	return string(s.token)
}

func (s *workspace) sign(message []byte) []byte {
	s.mac.Reset()
	s.mac.Write(message)
	return s.mac.Sum(s.sum[:0])
}

// appendClaims writes every claim, also those that are false: LiveKit reads an
// absent canPublish as true. roomCreate is false, because true would let the
// bearer delete any room.
func (m *Minter) appendClaims(dst []byte, g Grant, now time.Time) []byte {
	dst = append(dst, m.issuer...)
	dst = appendASCII(dst, string(g.Identity))
	dst = append(dst, `","nbf":`...)
	dst = strconv.AppendInt(dst, now.Unix(), 10)
	dst = append(dst, `,"exp":`...)
	dst = strconv.AppendInt(dst, now.Unix()+int64(m.ttl/time.Second), 10)
	dst = append(dst, `,"video":{"roomJoin":true,"room":"`...)
	dst = appendASCII(dst, string(g.Room))
	dst = append(dst, `","canPublish":`...)
	dst = strconv.AppendBool(dst, g.CanPublish)
	dst = append(dst, `,"canSubscribe":true,"canUpdateOwnMetadata":`...)
	dst = strconv.AppendBool(dst, g.CanUpdateOwnMetadata)
	dst = append(dst, `,"roomCreate":false,"hidden":false}`...)
	if g.Ticket != "" {
		dst = append(dst, `,"attributes":{"`+sfu.TicketAttribute+`":"`...)
		dst = append(appendASCII(dst, g.Ticket), `"}`...)
	}
	return append(dst, '}')
}

// appendASCII appends s as the inside of a JSON string. It also escapes every
// byte that base64url could write as '-' or '_' (see [Minter.Mint]): the bytes
// above 0x7e, and those whose last six bits are 62 or 63. It replaces bytes that
// are not UTF-8 by U+FFFD.
func appendASCII(dst []byte, s string) []byte {
	for {
		n := 0
		for n < len(s) && plain[s[n]] {
			n++
		}
		dst, s = append(dst, s[:n]...), s[n:]
		if s == "" {
			return dst
		}
		r, size := utf8.DecodeRuneInString(s)
		dst, s = appendEscaped(dst, r), s[size:]
	}
}

// plain marks the bytes that appendASCII need not escape.
var plain = func() (plain [256]bool) {
	for c := ' '; c < '~'; c++ {
		plain[c] = !strings.ContainsRune(`"\>?`, c)
	}
	return plain
}()

func appendEscaped(dst []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); r > 0xffff {
		return appendUnit(appendUnit(dst, high), low)
	}
	return appendUnit(dst, r)
}

// appendUnit appends one UTF-16 unit as \uXXXX.
func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
