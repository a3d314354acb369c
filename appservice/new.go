package appservice

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// defaultID is the id and the sender_localpart of a new registration.
const defaultID = "matrixrtc-auth"

// DefaultFile is the name of a new registration file if the operator gives no
// name.
const DefaultFile = "matrixrtc-auth-registration.yaml"

// Wish says what a new registration must contain.
type Wish struct {
	Server matrix.ServerName // the homeserver's name
	URL    string            // where the homeserver reaches this service
	// If Push is set, the url of the registration is URL. The homeserver then
	// pushes to URL every event of rooms with local users. If Push is not set,
	// the url of the registration is null.
	Push bool
}

// New returns a registration with two fresh tokens. It has the scope that
// is_joined needs, the proxy prefix rtc/livekit, and rate_limited: false. Its
// one namespace matches all users of the server, and is not exclusive. Its url
// is null unless w.Push is set.
func New(w Wish) Registration {
	never := false
	r := Registration{
		ID: defaultID, SenderLocalpart: defaultID,
		ASToken: newToken(), HSToken: newToken(),
		HasURL: true, RateLimited: &never,
		Users:  []Namespace{{Regex: userRegex(w.Server)}},
		Scopes: []string{scopeIsJoined}, ProxyPrefix: proxyPrefix, ProxyURL: w.URL,
	}
	if w.Push {
		r.URL = w.URL
	}
	return r
}

// KeepTokens returns r with the id, the sender_localpart and the tokens of old.
// If old lacks one of these values, the value of r stays.
func (r Registration) KeepTokens(old Registration) Registration {
	for _, keep := range []struct{ to, from *string }{{&r.ID, &old.ID}, {&r.SenderLocalpart, &old.SenderLocalpart}} {
		if *keep.from != "" {
			*keep.to = *keep.from
		}
	}
	for _, keep := range []struct{ to, from *secret.Text }{{&r.ASToken, &old.ASToken}, {&r.HSToken, &old.HSToken}} {
		if !keep.from.IsEmpty() {
			*keep.to = *keep.from
		}
	}
	return r
}

// userRegex returns the expression that matches every user of server and nobody
// else.
func userRegex(server matrix.ServerName) string {
	return "^@.*:" + regexp.QuoteMeta(server.String()) + "$"
}

// tokenBytes is the number of random bytes of a new token.
const tokenBytes = 32

func newToken() secret.Text {
	var b [tokenBytes]byte
	rand.Read(b[:]) // rand.Read never returns an error
	return secret.New(hex.EncodeToString(b[:]))
}
