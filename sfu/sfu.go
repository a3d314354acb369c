// Package sfu speaks to LiveKit: it creates rooms, asks who is in them, removes
// participants, and receives the webhooks that report who has joined and left.
//
// [Client] uses the API's generated client. The RoomServiceClient of
// server-sdk-go would be shorter, but it always uses its own HTTP client. That
// client is http.DefaultTransport with a region fail-over. It allows no private
// CA, and keeps only two idle connections.
package sfu

import "matrixrtc-auth/internal/apikey"

// Room is the name of a room on LiveKit, at most 256 characters. It is the hash
// of a Matrix room and a slot.
type Room string

// Identity is the name of a participant in LiveKit's room, at most 256
// characters.
type Identity string

// Key is an API key with its secret, which this service shares with the SFU.
type Key = apikey.Key

// ShortestSecret is the length in bytes of the shortest API secret that is
// safe.
const ShortestSecret = apikey.ShortestSecret
