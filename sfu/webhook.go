package sfu

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

// maxWebhook bounds the body of a webhook, in bytes. A participant's metadata
// and attributes are most of it, 128 KB by LiveKit's default limits.
const maxWebhook = 1 << 20

// Webhooks receives LiveKit's webhooks. It may be used by several goroutines at
// once.
type Webhooks struct {
	// Keys are the API keys of which the SFU may use any; nil for none.
	Keys Keys
}

// Receive returns what a webhook reports once it is proved to be the SFU's. Its
// error is a [*RejectedError].
//
// LiveKit signs a webhook by a token in the Authorization header, without
// "Bearer", that holds the digest of the body. The header is judged first: of
// what a stranger sends no byte is read. The same webhook is accepted again
// within its 5 min, and whoever acts on one must bear that anyway.
func (w Webhooks) Receive(r *http.Request) (Event, error) {
	digest, err := w.authorize(r.Header.Get("Authorization"))
	if err != nil {
		return Event{}, err
	}
	body, err := readWebhook(r)
	if err != nil {
		return Event{}, err
	}
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(sum[:], digest) != 1 {
		return Event{}, rejected(RejectedDigest, "the body, of %d bytes, is not the one that was signed", len(body))
	}
	return parseEvent(body)
}

// authorize returns the digest that the body must have.
func (w Webhooks) authorize(token string) ([]byte, error) {
	if token == "" {
		return nil, rejected(RejectedHeader, "no Authorization header: a proxy must pass it on, and only LiveKit may send webhooks")
	}
	c, err := verify(w.Keys, token)
	if err != nil {
		return nil, err
	}
	// LiveKit pads it.
	digest, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(c.Digest, "="))
	if err != nil || len(digest) != sha256.Size {
		return nil, rejected(RejectedDigest, "the token holds no sha256, so it is not one of a webhook")
	}
	return digest, nil
}

func readWebhook(r *http.Request) ([]byte, error) {
	tooLarge := rejected(RejectedTooLarge, "a body of more than %d bytes", maxWebhook)
	if r.ContentLength > maxWebhook {
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxWebhook+1))
	switch {
	case err != nil:
		return nil, rejected(RejectedCutOff, "the body did not arrive whole: %w", err)
	case len(body) > maxWebhook:
		return nil, tooLarge
	}
	return body, nil
}
