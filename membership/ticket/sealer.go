package ticket

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"matrixrtc-auth/sfu"
)

// Place is one participant's on the SFU.
type Place struct {
	Room     sfu.Room
	Identity sfu.Identity
}

// Sealer seals tickets and opens them. It may be used by several goroutines at
// once.
type Sealer struct {
	aeads  []cipher.AEAD // one for each API key; the first seals
	spaces sync.Pool     // of *workspace
}

// workspace is what one Seal needs and the next can use again.
type workspace struct {
	nonce                  [chacha20poly1305.NonceSizeX]byte
	content, bound, sealed []byte
}

// keyLabel keeps what is derived here apart from other uses of an API secret.
const keyLabel = "matrixrtc-auth ticket 1"

// NewSealer returns a Sealer that seals with the first of keys, at least one,
// and opens what any of them has sealed.
func NewSealer(keys []sfu.Key) *Sealer {
	s := &Sealer{spaces: sync.Pool{New: func() any { return new(workspace) }}}
	for _, key := range keys {
		s.aeads = append(s.aeads, newAEAD(key))
	}
	return s
}

// newAEAD returns the cipher of a key. With 24 random bytes a nonce does not
// come twice, however many tickets a key seals and however many replicas share
// it.
func newAEAD(key sfu.Key) cipher.AEAD {
	secret, err := hkdf.Key(sha256.New, []byte(key.Secret.Reveal()), nil, keyLabel, chacha20poly1305.KeySize)
	if err != nil {
		panic(err) // of a length that HKDF does not have
	}
	aead, err := chacha20poly1305.NewX(secret)
	if err != nil {
		panic(err) // of a key of another length
	}
	return aead
}

// Seal returns t as the text of an attribute, for its bearer at place: base64url
// of the layout (1 byte), the nonce (24) and what XChaCha20-Poly1305 makes of
// the content, bound to layout and place.
func (s *Sealer) Seal(t Ticket, place Place) string {
	w := s.spaces.Get().(*workspace)
	defer s.spaces.Put(w)
	_, _ = rand.Read(w.nonce[:]) // it never fails: crypto/rand ends the process first
	return w.seal(s.aeads[0], t, place)
}

func (w *workspace) seal(aead cipher.AEAD, t Ticket, place Place) string {
	w.content = t.append(w.content[:0])
	w.bound = place.append(w.bound[:0])
	w.sealed = append(append(w.sealed[:0], layout), w.nonce[:]...)
	w.sealed = aead.Seal(w.sealed, w.nonce[:], w.content, w.bound)
	return base64.RawURLEncoding.EncodeToString(w.sealed)
}

// ErrForeign is of a ticket that none of our keys has sealed for this place.
var ErrForeign = errors.New("not sealed by one of our keys for this participant")

// strict refuses a second text for the same bytes.
var strict = base64.RawURLEncoding.Strict()

// Open reads the ticket of a participant, and says whose place it is: a token
// lets its bearer in once more, as "identity#suffix" with the same attributes
// (LiveKit's ?publish=suffix), and that session belongs to the identity.
func (s *Sealer) Open(text string, at Place) (Ticket, Place, error) {
	if len(text) > MaxBytes {
		return Ticket{}, Place{}, fmt.Errorf("a ticket has at most %d bytes, this has %d", MaxBytes, len(text))
	}
	sealed, err := strict.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return Ticket{}, Place{}, errors.New("not base64url")
	}
	if len(sealed) <= 1+chacha20poly1305.NonceSizeX || sealed[0] != layout {
		return Ticket{}, Place{}, errors.New("of no layout that is known here")
	}
	for owner := range owners(at) {
		if content, err := s.open(sealed, owner); err == nil {
			t, err := parse(content)
			return t, owner, err
		}
	}
	return Ticket{}, Place{}, ErrForeign
}

func (s *Sealer) open(sealed []byte, place Place) ([]byte, error) {
	bound := place.append(nil)
	nonce, rest := sealed[1:1+chacha20poly1305.NonceSizeX], sealed[1+chacha20poly1305.NonceSizeX:]
	for _, aead := range s.aeads {
		if content, err := aead.Open(nil, nonce, rest, bound); err == nil {
			return content, nil
		}
	}
	return nil, ErrForeign
}

// maxIdentity is the longest identity of ours, and of any token that LiveKit takes,
// in bytes.
const maxIdentity = 256

// owners are those whose session it may be, the most likely first. The identity of
// a token and the client's suffix may both have a '#', and LiveKit renews the token
// of such a session, which begins another one with a suffix more.
func owners(at Place) iter.Seq[Place] {
	return func(yield func(Place) bool) {
		if !yield(at) {
			return
		}
		for text := string(at.Identity[:min(len(at.Identity), maxIdentity+1)]); ; {
			i := strings.LastIndexByte(text, '#')
			if i < 0 || !yield(Place{at.Room, sfu.Identity(text[:i])}) {
				return
			}
			text = text[:i]
		}
	}
}

// append writes the associated data behind dst: the layout, the length of the
// room (uvarint), room and identity, so that no two places look the same.
func (p Place) append(dst []byte) []byte {
	dst = append(dst, layout)
	dst = binary.AppendUvarint(dst, uint64(len(p.Room)))
	dst = append(dst, p.Room...)
	return append(dst, p.Identity...)
}
