package sfu

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"matrixrtc-auth/internal/text"
)

// These are the causes for which this service rejects a webhook or a token.
const (
	RejectedHeader    = "header"    // there is no Authorization header
	RejectedKey       = "key"       // the API key is not one of ours
	RejectedSignature = "signature" // the token was signed with another secret, or the text is no token
	RejectedAge       = "age"       // the token is expired, from the future, or valid for too long
	RejectedAudience  = "audience"  // the token is for another purpose
	RejectedDigest    = "digest"    // the signed digest is of another body
	RejectedTooLarge  = "too_large" // the body has more than 1 MiB
	RejectedCutOff    = "cut_off"   // the body did not arrive whole
	RejectedNotJSON   = "not_json"  // the body is signed, but is no webhook
)

// RejectedError says why this service rejected a webhook or a token. Its Cause
// is the label of a counter. Its text shows nothing of the token except the
// name of an API key, so the text may be logged.
type RejectedError struct {
	Cause string // one of the Rejected constants
	Err   error
}

func (e *RejectedError) Error() string { return e.Cause + ": " + e.Err.Error() }

func (e *RejectedError) Unwrap() error { return e.Err }

func rejected(cause, format string, args ...any) *RejectedError {
	return &RejectedError{cause, fmt.Errorf(format, args...)}
}

const (
	// leeway is how much the signer's clock can differ from ours. LiveKit
	// allows the same difference.
	leeway = time.Minute

	statusAudience = "matrixrtc-auth-status"
	statusLife     = time.Minute
)

// claims are the claims of a token that this service receives.
type claims struct {
	jwt.RegisteredClaims
	Digest string `json:"sha256"`
}

// VerifyStatusToken checks a token with which a client asks for the state of this
// service. The token must be signed with one of keys. Its only audience must be
// matrixrtc-auth-status, and it must be valid for at most 60 s (from iat to exp).
// An error is a [*RejectedError].
func VerifyStatusToken(keys Keys, token string) error {
	c, err := verify(keys, token)
	switch {
	case err != nil:
		return err
	case !slices.Equal(c.Audience, jwt.ClaimStrings{statusAudience}):
		return rejected(RejectedAudience, "the token is not for the audience %q alone", statusAudience)
	case c.IssuedAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > statusLife:
		return rejected(RejectedAge, "the token must be valid for at most %s, from its iat to its exp", statusLife)
	case time.Until(c.IssuedAt.Time) > leeway:
		return rejected(RejectedAge, "the token is from the future: set the clocks")
	}
	return nil
}

// verify checks that token is a JWT that is signed with one of keys by HS256
// and is valid now. An error is a [*RejectedError].
func verify(keys Keys, token string) (*claims, error) {
	var c claims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithLeeway(leeway),
		jwt.WithExpirationRequired(),
	)
	_, err := parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return secretOf(keys.all(), c.Issuer) })
	if err != nil {
		return nil, explainToken(err, &c)
	}
	return &c, nil
}

// secretOf returns the secret of the key with this id. An empty secret gives an
// error, because anybody could sign with an empty secret.
func secretOf(keys []Key, id string) ([]byte, error) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id && !k.Secret.IsEmpty() })
	if i < 0 {
		return nil, rejected(RejectedKey, "signed with API key %q, which is not known here: the SFU's webhook.api_key must be a key of this service, too", text.Clip(id, maxText))
	}
	return []byte(keys[i].Secret.Reveal()), nil
}

// explainToken returns an error with our own text for err, because the texts of
// the JWT library quote the token.
func explainToken(err error, c *claims) *RejectedError {
	unknown, isKey := errors.AsType[*RejectedError](err)
	switch {
	case isKey:
		return unknown
	case errors.Is(err, jwt.ErrTokenExpired):
		return rejected(RejectedAge, "the token expired %s ago: it was sent late, or the clocks differ", time.Since(c.ExpiresAt.Time).Round(time.Second))
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return rejected(RejectedAge, "the token becomes valid in %s: the clocks differ", time.Until(c.NotBefore.Time).Round(time.Second))
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return rejected(RejectedAge, "the token never expires")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) && c.Issuer != "":
		return rejected(RejectedSignature, "not signed with the secret that API key %q has here: it must be the same as the SFU's", text.Clip(c.Issuer, maxText))
	}
	return rejected(RejectedSignature, "the Authorization header is no token signed with an API key by HS256")
}
