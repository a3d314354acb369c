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

// Place is the room and the identity of one participant on the SFU.
type Place struct {
	Room     sfu.Room
	Identity sfu.Identity
}

// Sealer seals and opens tickets. Several goroutines may use it at once.
type Sealer struct {
	aeads  []cipher.AEAD // one for each API key; the first one seals
	spaces sync.Pool     // of *workspace
}

// workspace holds the buffers of one Seal, for reuse.
type workspace struct {
	nonce                  [chacha20poly1305.NonceSizeX]byte
	content, bound, sealed []byte
}

// keyLabel separates the keys derived here from other uses of an API secret.
const keyLabel = "matrixrtc-auth ticket 1"

// NewSealer returns a Sealer that seals with the first of keys, which must not
// be empty. It opens tickets sealed with any of them.
func NewSealer(keys []sfu.Key) *Sealer {
	s := &Sealer{spaces: sync.Pool{New: func() any { return new(workspace) }}}
	for _, key := range keys {
		s.aeads = append(s.aeads, newAEAD(key))
	}
	return s
}

// newAEAD returns the cipher of a key. A nonce of 24 random bytes never
// repeats, however many tickets a key seals and however many replicas share it.
func newAEAD(key sfu.Key) cipher.AEAD {
	secret, err := hkdf.Key(sha256.New, []byte(key.Secret.Reveal()), nil, keyLabel, chacha20poly1305.KeySize)
	if err != nil {
		panic(err) // impossible: HKDF can derive this length
	}
	aead, err := chacha20poly1305.NewX(secret)
	if err != nil {
		panic(err) // impossible: the key has the right length
	}
	return aead
}

// Seal encrypts t and returns the text for the participant's ticket attribute.
// Only Open with the same place can read that text. It is base64url of the
// layout (1 byte), the nonce (24), and the content encrypted by
// XChaCha20-Poly1305, bound to layout and place.
func (s *Sealer) Seal(t Ticket, place Place) string {
	w := s.spaces.Get().(*workspace)
	defer s.spaces.Put(w)
	_, _ = rand.Read(w.nonce[:]) // never fails: crypto/rand would end the process
	return w.seal(s.aeads[0], t, place)
}

func (w *workspace) seal(aead cipher.AEAD, t Ticket, place Place) string {
	w.content = t.append(w.content[:0])
	w.bound = place.append(w.bound[:0])
	w.sealed = append(append(w.sealed[:0], layout), w.nonce[:]...)
	w.sealed = aead.Seal(w.sealed, w.nonce[:], w.content, w.bound)
	return base64.RawURLEncoding.EncodeToString(w.sealed)
}

// ErrForeign says that none of our keys has sealed the ticket for this place.
var ErrForeign = errors.New("none of our keys has sealed the ticket for this participant")

// strict rejects every text but the one that base64 makes of the bytes.
var strict = base64.RawURLEncoding.Strict()

// Open opens the ticket of a participant, and returns the place it was sealed
// for. That place may differ from at: LiveKit admits the bearer of a token a
// second time, as "identity#suffix" with the same attributes (?publish=suffix).
// That session belongs to the identity.
func (s *Sealer) Open(text string, at Place) (Ticket, Place, error) {
	if len(text) > MaxBytes {
		return Ticket{}, Place{}, fmt.Errorf("a ticket has at most %d bytes, and this one has %d", MaxBytes, len(text))
	}
	sealed, err := strict.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return Ticket{}, Place{}, errors.New("the ticket is not base64url")
	}
	if len(sealed) <= 1+chacha20poly1305.NonceSizeX || sealed[0] != layout {
		return Ticket{}, Place{}, errors.New("the ticket's layout is unknown to this version")
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

// maxIdentity is the longest identity that this service derives or LiveKit
// accepts, in bytes.
const maxIdentity = 256

// owners returns the places to which a session may belong, the most likely
// first. Both the identity and the client's suffix may contain a '#'. LiveKit
// renews the token of such a session; with the renewed token another session
// with one more suffix may begin.
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

// append appends the associated data to dst: the layout, the length of the room
// (uvarint), room and identity. No two places have the same data.
func (p Place) append(dst []byte) []byte {
	dst = append(dst, layout)
	dst = binary.AppendUvarint(dst, uint64(len(p.Room)))
	dst = append(dst, p.Room...)
	return append(dst, p.Identity...)
}
