package ticket

import (
	"time"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// Minter makes access tokens that hold tickets. Several goroutines may use it
// at the same time.
type Minter struct {
	tokens *token.Minter
	sealer *Sealer
}

// NewMinter returns a Minter that signs tokens and seals tickets with the first
// of keys. keys must not be empty. The tokens are valid for ttl, in whole
// seconds.
func NewMinter(keys []sfu.Key, ttl time.Duration) *Minter {
	return &Minter{token.NewMinter(keys[0], ttl), NewSealer(keys)}
}

// Mint returns a token for g, valid from now on. The token holds the sealed
// ticket t.
func (m *Minter) Mint(g token.Grant, t Ticket, now time.Time) string {
	g.Ticket = m.sealer.Seal(t, Place{g.Room, g.Identity})
	return m.tokens.Mint(g, now)
}

// Open calls [Sealer.Open]. It tries all keys.
func (m *Minter) Open(text string, at Place) (Ticket, Place, error) { return m.sealer.Open(text, at) }
