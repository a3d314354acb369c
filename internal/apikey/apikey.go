// Package apikey has the pair of API key and secret that LiveKit and this service
// share. It stands by itself so that whoever only reads keys, like config, is built
// without all that speaks to LiveKit.
package apikey

import "matrixrtc-auth/internal/secret"

// ShortestSecret is the length in bytes of the shortest secret that is hardly
// guessed: about a shorter one LiveKit logs an error, and this service warns.
const ShortestSecret = 32

// Key is one pair of API key and secret, shared with the SFU. The ID is
// public (it is the issuer of every token), the Secret signs.
type Key struct {
	ID     string
	Secret secret.Text
}
