package handler

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// headerRequestID is the header of the answer that holds the request's id, as
// the log shows it.
const headerRequestID = "X-Request-Id"

// maxRequestID bounds the id that a proxy sends, in bytes. Proxies use 32 or
// 36.
const maxRequestID = 64

// requestID returns the id of a request: the valid part of the id that a
// trusted proxy sends, else a new one. It ignores the ids that others send:
// they could copy the id of another request.
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

// cleanRequestID returns the ASCII letters and digits, and some signs, of id, at
// most maxRequestID bytes. The result can be copied from a log and searched for.
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
