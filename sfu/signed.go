package sfu

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"matrixrtc-auth/internal/text"
)

// Why something that should be signed with an API key is not accepted.
const (
	RejectedHeader    = "header"    // there is no Authorization header
	RejectedKey       = "key"       // the API key is none of ours
	RejectedSignature = "signature" // signed with another secret, or no token at all
	RejectedAge       = "age"       // expired, from the future, or good for too long
	RejectedAudience  = "audience"  // a token for something else
	RejectedDigest    = "digest"    // not the body that was signed
	RejectedTooLarge  = "too_large" // a body of more than 1 MiB
	RejectedCutOff    = "cut_off"   // the body did not arrive whole
	RejectedNotJSON   = "not_json"  // signed, but no webhook
)

// RejectedError says why a webhook or a token was not accepted, for the log and
// for a counter by cause. Its text holds no part of the token but the name of
// an API key, and is safe to log.
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
	// leeway is how far the signer's clock and ours may differ; LiveKit
	// allows as much.
	leeway = time.Minute

	statusAudience = "matrixrtc-auth-status"
	statusLife     = time.Minute
)

// claims are what the tokens hold that are received here, not minted.
type claims struct {
	jwt.RegisteredClaims
	Digest string `json:"sha256"`
}

// VerifyStatusToken returns nil for a token by which the holder of one of keys
// asks for the state of this service: for this audience alone, and with iat and
// exp at most 60 s apart. An error is a [*RejectedError].
func VerifyStatusToken(keys Keys, token string) error {
	c, err := verify(keys, token)
	switch {
	case err != nil:
		return err
	case !slices.Equal(c.Audience, jwt.ClaimStrings{statusAudience}):
		return rejected(RejectedAudience, "the token is not for the audience %q alone", statusAudience)
	case c.IssuedAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > statusLife:
		return rejected(RejectedAge, "the token must be good for %s at most, from its iat to its exp", statusLife)
	case time.Until(c.IssuedAt.Time) > leeway:
		return rejected(RejectedAge, "the token is from the future: set the clocks")
	}
	return nil
}

// verify checks that token is a JWT signed with one of keys by HS256, and good
// now. The error is a [*RejectedError].
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

// secretOf returns the secret of the key called id. One that is empty would
// verify what anybody signed.
func secretOf(keys []Key, id string) ([]byte, error) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id && !k.Secret.IsEmpty() })
	if i < 0 {
		return nil, rejected(RejectedKey, "signed with API key %q, which is not known here: the SFU's webhook.api_key must be a key of this service, too", text.Clip(id, maxText))
	}
	return []byte(keys[i].Secret.Reveal()), nil
}

// explainToken leaves the library's texts out: they quote what they were given.
func explainToken(err error, c *claims) *RejectedError {
	unknown, isKey := errors.AsType[*RejectedError](err)
	switch {
	case isKey:
		return unknown
	case errors.Is(err, jwt.ErrTokenExpired):
		return rejected(RejectedAge, "the token expired %s ago: it was sent late, or the clocks differ", time.Since(c.ExpiresAt.Time).Round(time.Second))
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return rejected(RejectedAge, "the token becomes good in %s: the clocks differ", time.Until(c.NotBefore.Time).Round(time.Second))
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return rejected(RejectedAge, "the token never expires")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) && c.Issuer != "":
		return rejected(RejectedSignature, "not signed with the secret of API key %q here: it must be the SFU's", text.Clip(c.Issuer, maxText))
	}
	return rejected(RejectedSignature, "the Authorization header is no token signed with an API key by HS256")
}
