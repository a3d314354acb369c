// Package sfu speaks to LiveKit: through the Room API it creates rooms, asks
// who is in them and removes participants, and it receives the webhooks that
// report who came and went.
//
// [Client] uses the API's generated client. The RoomServiceClient of
// server-sdk-go would be shorter, but its HTTP client is fixed:
// http.DefaultTransport with a region fail-over. That allows no private CA and
// keeps two idle connections.
package sfu

import "matrixrtc-auth/internal/apikey"

// Room is a LiveKit room name: the hash of a Matrix room and a slot, at most
// 256 characters.
type Room string

// Identity is the identity of a participant within a LiveKit room, at most
// 256 characters.
type Identity string

// Key is one pair of API key and secret, shared with the SFU.
type Key = apikey.Key

// ShortestSecret is the length in bytes of the shortest secret that is safe.
const ShortestSecret = apikey.ShortestSecret
