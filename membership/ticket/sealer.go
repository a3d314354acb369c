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

// Place is where one participant is on the SFU: the room and the identity.
type Place struct {
	Room     sfu.Room
	Identity sfu.Identity
}

// Sealer seals and opens tickets. Several goroutines may use it at the same
// time.
type Sealer struct {
	aeads  []cipher.AEAD // one for each API key; Seal uses the first
	spaces sync.Pool     // holds *workspace
}

// workspace holds the buffers for one call of Seal. Later calls reuse the
// workspace.
type workspace struct {
	nonce                  [chacha20poly1305.NonceSizeX]byte
	content, bound, sealed []byte
}

// keyLabel makes the keys that this package derives from an API secret differ
// from keys derived for other purposes.
const keyLabel = "matrixrtc-auth ticket 1"

// NewSealer returns a Sealer that seals with the first of keys, and opens
// tickets that were sealed with any of them. keys must not be empty.
func NewSealer(keys []sfu.Key) *Sealer {
	s := &Sealer{spaces: sync.Pool{New: func() any { return new(workspace) }}}
	for _, key := range keys {
		s.aeads = append(s.aeads, newAEAD(key))
	}
	return s
}

// newAEAD returns the cipher of a key. It uses nonces of 24 random bytes, which
// never repeat, however many tickets a key seals and however many replicas
// share the key.
func newAEAD(key sfu.Key) cipher.AEAD {
	secret, err := hkdf.Key(sha256.New, []byte(key.Secret.Reveal()), nil, keyLabel, chacha20poly1305.KeySize)
	if err != nil {
		panic(err) // impossible: HKDF can derive a key of this length
	}
	aead, err := chacha20poly1305.NewX(secret)
	if err != nil {
		panic(err) // impossible: the key has the right length
	}
	return aead
}

// Seal encrypts t and returns the text for the participant's ticket attribute.
// Only Open with the same room and identity (place) can read that text. The text
// is base64url of the layout (1 byte), the nonce (24 bytes), and the content. The
// content is encrypted by XChaCha20-Poly1305, and bound to layout and place.
func (s *Sealer) Seal(t Ticket, place Place) string {
	w := s.spaces.Get().(*workspace)
	defer s.spaces.Put(w)
	_, _ = rand.Read(w.nonce[:]) // never fails: crypto/rand would end the process instead
	return w.seal(s.aeads[0], t, place)
}

func (w *workspace) seal(aead cipher.AEAD, t Ticket, place Place) string {
	w.content = t.append(w.content[:0])
	w.bound = place.append(w.bound[:0])
	w.sealed = append(append(w.sealed[:0], layout), w.nonce[:]...)
	w.sealed = aead.Seal(w.sealed, w.nonce[:], w.content, w.bound)
	return base64.RawURLEncoding.EncodeToString(w.sealed)
}

// errForeign says that the ticket was sealed with none of our keys, or for
// another room or identity.
var errForeign = errors.New("the ticket was not sealed with one of our keys for this participant")

// strict refuses a text unless it is exactly what base64 would write for the
// decoded bytes.
var strict = base64.RawURLEncoding.Strict()

// Open opens the ticket of a participant. The argument at is the participant's
// place. Open returns the ticket, and the place for which the ticket was
// sealed.
//
// The two places may differ. LiveKit admits the bearer of a token a second
// time, as "identity#suffix" with the same attributes (?publish=suffix). Such a
// session belongs to the identity, so Open returns the identity's place.
func (s *Sealer) Open(text string, at Place) (Ticket, Place, error) {
	if len(text) > MaxBytes {
		return Ticket{}, Place{}, fmt.Errorf("the ticket has %d bytes, but at most %d are allowed", len(text), MaxBytes)
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
	return Ticket{}, Place{}, errForeign
}

func (s *Sealer) open(sealed []byte, place Place) ([]byte, error) {
	bound := place.append(nil)
	nonce, rest := sealed[1:1+chacha20poly1305.NonceSizeX], sealed[1+chacha20poly1305.NonceSizeX:]
	for _, aead := range s.aeads {
		if content, err := aead.Open(nil, nonce, rest, bound); err == nil {
			return content, nil
		}
	}
	return nil, errForeign
}

// maxIdentity is the length of the longest identity that this service derives,
// or that LiveKit accepts, in bytes.
const maxIdentity = 256

// owners returns the places for which the ticket of a session can have been
// sealed, the most likely place first. The argument at is the place of the
// session itself. The identity of a second session with the same token is
// "identity#suffix", but its ticket is still sealed for "identity". Both identity
// and suffix may contain a '#', so each '#' gives one more place. A client may
// even open a third session with one more suffix, because LiveKit renews the
// token of a second session.
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

// append appends the associated data of p to dst: the layout, the length of the
// room (uvarint), the room, and the identity. No two places have the same data.
func (p Place) append(dst []byte) []byte {
	dst = append(dst, layout)
	dst = binary.AppendUvarint(dst, uint64(len(p.Room)))
	dst = append(dst, p.Room...)
	return append(dst, p.Identity...)
}
