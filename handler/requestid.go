package handler

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// headerRequestID names the request in the answer, as the log does.
const headerRequestID = "X-Request-Id"

// maxRequestID bounds an id that a proxy gives, in bytes. Those of proxies have 32
// or 36.
const maxRequestID = 64

// requestID returns the id of a request: the one that a trusted proxy gives, as far
// as it is one, else a new one. What anybody else says might be chosen to hide
// among the requests of others.
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

// newRequestID returns 26 letters and digits, of 130 random bits.
func newRequestID() string { return rand.Text() }

// cleanRequestID leaves of an id what can be copied from a log and searched for
// anywhere: ASCII letters, digits and some signs, and not too many.
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
