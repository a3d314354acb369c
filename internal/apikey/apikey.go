// Package apikey defines the pair of API key and secret that LiveKit and this
// service share. It is a separate package so that a package that only reads
// keys, like config, does not depend on the client of LiveKit.
package apikey

import "matrixrtc-auth/internal/secret"

// ShortestSecret is the length in bytes of the shortest secret that is safe.
// LiveKit logs an error for a shorter one, and this service warns.
const ShortestSecret = 32

// Key is one pair of API key and secret, which this service shares with the
// SFU. The ID is public: it is the issuer in every token. The Secret signs
// tokens.
type Key struct {
	ID     string
	Secret secret.Text
}
