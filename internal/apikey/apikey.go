// Package apikey defines the pair of API key and secret that LiveKit and this
// service share. It is a package of its own so that a package that only reads
// keys, like config, does not depend on the client of LiveKit.
package apikey

import "matrixrtc-auth/internal/secret"

// ShortestSecret is the length in bytes of the shortest secret that is safe.
// LiveKit logs an error for a shorter one, and this service warns.
const ShortestSecret = 32

// Key is one pair of API key and secret, shared with the SFU. The ID is
// public, as the issuer in every token. The Secret signs.
type Key struct {
	ID     string
	Secret secret.Text
}
