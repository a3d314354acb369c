package handler

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// headerRequestID is the header in which an answer contains the request's id.
// The log shows the same id.
const headerRequestID = "X-Request-Id"

// maxRequestID is how many bytes the service keeps of an id that a proxy sends.
// Proxies send ids of 32 or 36 bytes.
const maxRequestID = 64

// requestID returns the id of a request. If a trusted proxy sent an id,
// requestID returns the valid part of that id. Otherwise it returns a new id.
// It ignores an id from any other peer, because a client could copy the id of
// another request.
func (p Proxies) requestID(r *http.Request) string {
	peer := peerAddr(r.RemoteAddr)
	if peer.IsValid() && !p.Trust(peer) {
		return newRequestID()
	}
	if id := cleanRequestID(r.Header.Get(headerRequestID)); id != "" {
		return id
	}
	return newRequestID()
}

// newRequestID returns an id of 26 letters and digits, made from 130 random
// bits.
func newRequestID() string { return rand.Text() }

// cleanRequestID clips id to maxRequestID bytes. Then it removes all characters
// except ASCII letters, digits and some signs. An operator can copy the result
// from a log and search for it.
func cleanRequestID(id string) string {
	id = id[:min(len(id), maxRequestID)]
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.:=+/@", r):
			return r
		}
		return -1
	}, id)
}
