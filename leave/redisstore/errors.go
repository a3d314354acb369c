package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/text"
)

// refusal is an error of the server that does not end by itself. remedy says what the
// operator must do to end it.
type refusal struct{ by, text, remedy string }

func (r *refusal) Error() string {
	return "redisstore: " + r.by + ": " + r.text + "; " + r.remedy
}

// remedies says what an operator must do about an error of Redis. The key is how the
// error begins.
var remedies = map[string]string{
	"WRONGPASS":        "check LIVEKIT_REDIS_PASSWORD and the user name in LIVEKIT_REDIS_URL",
	"AUTH":             "check LIVEKIT_REDIS_PASSWORD: the server needs no password",
	"invalid password": "check LIVEKIT_REDIS_PASSWORD",
	"NOAUTH":           "set LIVEKIT_REDIS_PASSWORD",
	// A server that requires a password refuses long commands before the client has sent
	// it.
	"Protocol error: unauthenticated": "set LIVEKIT_REDIS_PASSWORD",
	"NOPERM":                          "let the user run scripts, and in them the commands of strings, hashes and sorted sets, on our keys",
	"DB index":                        "use a database that the server has",
	"SELECT is not":                   "leave out the database: a cluster has only 0",
	"MOVED":                           "add ?cluster=true to LIVEKIT_REDIS_URL: the server belongs to a cluster",
	"unknown command":                 "let the server run EVAL and EVALSHA; if the server is a Sentinel, add ?master_name=mymaster to LIVEKIT_REDIS_URL",
	"This instance has cluster support disabled": "leave out ?cluster=true: the server does not belong to a cluster",
}

// failed makes an error of this package from an error of go-redis. The new error does
// not wrap err, because err may contain the password. It tells only whether err was a
// time-out or a cancellation.
func (s *Store) failed(err error) error {
	if asked, ok := errors.AsType[*sentinelError](err); ok {
		if r := s.refusedBySentinels(asked); r != nil {
			return r
		}
	}
	for beginning, remedy := range remedies {
		if redis.HasErrorPrefix(err, beginning) {
			return &refusal{"Redis refuses", s.clean(err), remedy}
		}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("redisstore: %s: %w", s.clean(err), context.DeadlineExceeded)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("redisstore: %w", context.Canceled)
	}
	return errors.New("redisstore: " + s.clean(err))
}

// sentinelRemedies says what an operator must do about an error of Redis Sentinels. The
// key is how the error begins.
var sentinelRemedies = map[string]string{
	"WRONGPASS":                       "check user name and password in LIVEKIT_REDIS_URL: they are the Sentinels'",
	"AUTH":                            "leave out the password in LIVEKIT_REDIS_URL: it is for the Sentinels, which need none; the password of Redis is LIVEKIT_REDIS_PASSWORD",
	"invalid password":                "check the password in LIVEKIT_REDIS_URL: it is the Sentinels'",
	"NOAUTH":                          "write the Sentinels' password into LIVEKIT_REDIS_URL: redis://:password@host:26379",
	"Protocol error: unauthenticated": "write the Sentinels' password into LIVEKIT_REDIS_URL: redis://:password@host:26379",
	"NOPERM":                          "let the user of LIVEKIT_REDIS_URL run SENTINEL get-master-addr-by-name",
	"unknown command":                 "write the addresses of Sentinels into LIVEKIT_REDIS_URL (26379 is the usual port), or leave out master_name",
	"redis: nil":                      "check master_name in LIVEKIT_REDIS_URL: it stands in sentinel.conf",
}

// refusedBySentinels says why the Sentinels refused a request, and what the operator
// must do. It returns nil if their error has another reason than a refusal.
func (s *Store) refusedBySentinels(asked *sentinelError) *refusal {
	for beginning, remedy := range sentinelRemedies {
		if redis.HasErrorPrefix(asked, beginning) {
			return &refusal{"Sentinels refuse", s.clean(asked), remedy}
		}
	}
	return nil
}

// maxText is how many bytes of a server's message are shown at most.
const maxText = 200

// clean returns the text of err without passwords and control characters. It shortens a
// long text.
func (s *Store) clean(err error) string {
	said := err.Error()
	for _, secret := range s.target.secrets() {
		said = strings.ReplaceAll(said, secret, "[redacted]")
	}
	return text.Clip(said, maxText)
}
