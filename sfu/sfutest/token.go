package sfutest

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"matrixrtc-auth/sfu"
)

// StatusToken returns a token with which the holder of key can ask the service for
// its state. The token is valid from now on, for the duration life. The service
// accepts the token only if audience is "matrixrtc-auth-status" and life is at most
// 60 s.
func StatusToken(key sfu.Key, audience string, life time.Duration) string {
	claims := validity(time.Now(), life)
	claims["iss"], claims["aud"] = key.ID, audience
	return sign(key, claims)
}

// validity returns the claims that say when a token is valid. start is the beginning,
// and life is how long the token is valid from then on. If life is 0, the token never
// expires.
func validity(start time.Time, life time.Duration) jwt.MapClaims {
	claims := jwt.MapClaims{"iat": start.Unix(), "nbf": start.Unix()}
	if life != 0 {
		claims["exp"] = start.Add(life).Unix()
	}
	return claims
}

func sign(key sfu.Key, claims jwt.MapClaims) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key.Secret.Reveal()))
	if err != nil {
		panic(err) // impossible: HMAC cannot fail
	}
	return token
}
