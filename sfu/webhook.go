package sfu

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

// maxWebhook bounds the bytes of a webhook's body. The largest parts are a
// participant's metadata and attributes, together 128 KB by LiveKit's default
// limits.
const maxWebhook = 1 << 20

// Webhooks receives LiveKit's webhooks. Several goroutines may use it at the same
// time.
type Webhooks struct {
	// Keys are the API keys with which the SFU may sign webhooks. nil means
	// none.
	Keys Keys
}

// Receive returns the event of a webhook from the SFU. Its error is a
// [*RejectedError]. The error's Cause is [RejectedKey] for an unknown API key,
// and [RejectedSignature] for a signature with another secret.
//
// LiveKit signs a webhook with a token in the Authorization header, without the
// word "Bearer". The token holds the digest of the body. Receive checks the
// header first, so it reads no byte of a stranger's body. The token is valid
// for 5 min, and Receive accepts the same webhook again in that time. Callers
// must accept repeated events anyway.
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

// authorize checks the token, and returns the digest that the body must have.
func (w Webhooks) authorize(token string) ([]byte, error) {
	if token == "" {
		return nil, rejected(RejectedHeader, "the request has no Authorization header: only LiveKit may send webhooks, and a proxy must pass the header on")
	}
	c, err := verify(w.Keys, token)
	if err != nil {
		return nil, err
	}
	// LiveKit pads the digest with '=', but this service accepts it without
	// padding.
	digest, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(c.Digest, "="))
	if err != nil || len(digest) != sha256.Size {
		return nil, rejected(RejectedDigest, "the token holds no sha256, so it was not made for a webhook")
	}
	return digest, nil
}

func readWebhook(r *http.Request) ([]byte, error) {
	tooLarge := rejected(RejectedTooLarge, "the body has more than %d bytes", maxWebhook)
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
